"""How far a work has come: bars on a terminal, elsewhere a line every half minute, with an estimate of the time that is left.

Of several processes the first draws the bars. It names a folder to those that it starts (`FOLDER`), in which each notes how
far it is, and shows what they print above the bars.
"""

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

from pipelines.display.numbers import duration

FOLDER = "PIPELINES_PROGRESS"
BETWEEN_LINES, BETWEEN_NOTES = 30.0, 1.0
"""Seconds between two lines, and between two notes to the process that draws."""


class State(NamedTuple):
    """How far a work is: ``done`` of a ``total`` of units, seconds that are ``left``, and what ``more`` there is to say."""

    name: str
    done: float
    total: float | None
    unit: str
    left: float | None
    more: str = ""

    @property
    def counted(self) -> str:
        """How much is done, in words."""
        whole = "" if self.total is None else f" of {self.total:,.0f}"
        return f"{self.done:,.0f}{whole} {self.unit}"

    @property
    def estimate(self) -> str:
        return "" if self.left is None else f"{duration(self.left)} left"

    def line(self) -> str:
        return ", ".join(filter(None, [f"{self.name}: {self.counted}", self.estimate, self.more]))


class Progress:
    """A work of ``total`` units, or of nobody knows how many, which is shown while it is entered."""

    def __init__(self, name: str, total: float | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = self._first = 0.0
        self.more = ""
        self._left: float | None = None
        self._held = ExitStack()
        self._every, self._due, self._began = BETWEEN_LINES, 0.0, time.monotonic()
        self._note: Path | None = None

    def __enter__(self) -> Self:
        self.begin()
        if FOLDER in os.environ:
            self._every, self._note = BETWEEN_NOTES, Path(os.environ[FOLDER]) / f"{os.getpid()}-{id(self)}.json"
        elif sys.stderr.isatty():
            from pipelines.display.bars import Bars

            self._held.enter_context(Bars(self.state, FOLDER))
            self._every = float("inf")
        self._due = time.monotonic() + self._every
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
        if self._note is not None:
            self._note.unlink(missing_ok=True)

    def begin(self, done: float = 0.0) -> None:
        """Count the time from now on, with so much ``done`` before."""
        self.done = self._first = done
        self._began = time.monotonic()

    def reach(self, done: float, more: str | None = None, *, left: float | None = None) -> None:
        """So much is ``done``; ``left`` are seconds, where the caller knows better than the time so far tells."""
        self.done, self._left = done, left
        if more is not None:
            self.more = more
        if (now := time.monotonic()) >= self._due:
            self._due = now + self._every
            self._say()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def state(self) -> State:
        """How far it is now; the rest is taken to go on as before."""
        left, made = self._left, self.done - self._first
        if left is None and self.total is not None and made > 0:
            left = self.seconds / made * max(self.total - self.done, 0)
        return State(self.name, self.done, self.total, self.unit, left, self.more)

    def ended(self) -> str:
        """What there is to say when it is over."""
        return ", ".join(filter(None, [f"{self.name}: {self.state().counted} in {duration(self.seconds)}", self.more]))

    def _say(self) -> None:
        if self._note is None:
            print(self.state().line(), file=sys.stderr, flush=True)
            return
        try:
            partial = self._note.with_suffix(".partial")
            partial.write_text(json.dumps(self.state()), encoding="utf-8")
            partial.replace(self._note)
        except OSError:  # the process that draws has ended
            self._due = float("inf")


def noted(folder: Path) -> list[State]:
    """The states that living processes have noted in ``folder``, by name."""
    found: list[Any] = []
    for file in folder.glob("*.json"):
        try:
            os.kill(int(file.stem.partition("-")[0]), 0)
            found.append(State(*json.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            continue  # the process has ended, or just now its work
    return sorted(found)
