"""Bars on a terminal, below what this process and those that it starts print."""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from pipelines.display.progress import State, noted

PER_SECOND = 2
"""How often bars are drawn: each time takes a millisecond from the work."""
WIDTH = 24
MARK = "\0"
PATIENCE = 2.0
"""Seconds in which what was printed is to be shown when the bars end."""


class Bars:
    """A bar of this process's work, and one of each that others note in the folder which the variable ``named`` tells them."""

    def __init__(self, state: Callable[[], State], named: str) -> None:
        self._state, self._named = state, named
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="progress-")))
        os.environ[self._named] = str(self._folder)
        self._held.callback(os.environ.pop, self._named)
        printed = Printed()
        self._held.callback(printed.end)
        drawn = {"get_renderable": self._table, "refresh_per_second": PER_SECOND, "transient": True}
        self._held.enter_context(Live(console=printed.console, redirect_stdout=False, redirect_stderr=False, **drawn))
        self._held.callback(printed.show_all)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _table(self) -> Table:
        table, states = Table.grid(padding=(0, 2)), [self._state(), *noted(self._folder)]
        texts = zip(*((state.name, state.counted, state.estimate) for state in states), strict=True)
        name, count, estimate = (max(map(len, column)) for column in texts)
        for width in (name, WIDTH, count, estimate, 0):  # what there is more to say is cut off first
            table.add_column(no_wrap=True, min_width=width)
        for state in states:
            bar = ProgressBar(state.total, state.done, WIDTH) if state.total else Spinner("line")
            table.add_row(state.name, bar, state.counted, state.estimate, state.more)
        return table


class Printed:
    """Takes what comes through the standard streams that are terminals, from whatever process, and prints it line by line."""

    def __init__(self) -> None:
        self.console = Console(file=os.fdopen(os.dup(2), "w"), highlight=False, markup=False, soft_wrap=True)
        self._kept = {stream: os.dup(stream) for stream in (1, 2) if os.isatty(stream)}
        self._out, into = os.pipe()
        for stream in self._kept:
            os.dup2(into, stream)
        os.close(into)
        self._all_shown = threading.Event()
        threading.Thread(target=self._print, daemon=True).start()

    def _print(self) -> None:
        with os.fdopen(self._out, encoding="utf-8", errors="replace") as lines:
            for line in lines:  # of processes that live on too, when the bars are gone
                if line == f"{MARK}\n":
                    self._all_shown.set()
                else:
                    self.console.print(line.rstrip("\n"))

    def show_all(self) -> None:
        """Wait until all is shown that was printed before."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, f"{MARK}\n".encode())
        self._all_shown.wait(PATIENCE)

    def end(self) -> None:
        """Give the streams back."""
        for stream, kept in self._kept.items():
            os.dup2(kept, stream)
            os.close(kept)
