"""The thread that delivers spools while the work goes on, and how long the work waits for it: never long."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.tracking.delivery import deliver_all
from pipelines.tracking.spool import FOLDER, Spool, discard, read_entries, waiting_files
from pipelines.tracking.store import ask_briefly, ask_patiently, load_client, store_uri

AT_START, AT_END = 1.0, 3.0
"""Seconds that a process waits for a dashboard that says nothing: when a run begins, and when the work is done."""
ONCE_ANSWERED = 30.0
"""Seconds of silence that it waits for a dashboard that has answered since it began to wait."""
BETWEEN, PAUSE = 5.0, 60.0
"""Seconds between deliveries while the work goes on, and after one that failed."""
LEFT = "PIPELINES_TRACKING"
"""The variable by which the command that starts this one says ``left``: it delivers what this one notes."""
LIVE_AFTER = 30.0
"""Seconds of a work from which on it delivers its own notes all the same, so that a long one is seen while it goes on."""
LONGEST = 200
"""Characters of a reason, in which some libraries tell all they know."""


class Courier:
    """Delivers all spools every few seconds, on a thread that ends with the process, whatever it waits for."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.silent = 0.0
        """Seconds that the work has waited for a dashboard that said nothing."""
        self._changed = threading.Condition()
        self._asked = self._made = self._answers = 0
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def attempt(self, patience: float) -> bool:
        """Have everything delivered that waits now; returns whether it was.

        The time in which the thread computes, or stands in line for a processor, is no waiting: a store may have to be made.
        """
        silent, answers, computed, then = 0.0, self._answers, worked(self._thread), time.monotonic()
        with self._changed:
            self._asked += 1
            wanted = self._asked
            self._changed.notify_all()
            while self._made < wanted and silent < patience:
                self._changed.wait(0.1)
                spent, now = worked(self._thread), time.monotonic()
                if spent - computed < 0.1 * (now - then):
                    silent += now - then
                    self.silent += now - then
                if self._answers != answers:
                    silent, answers, patience = 0.0, self._answers, ONCE_ANSWERED
                computed, then = spent, now
            return self._made >= wanted and self.error is None

    def end(self) -> None:
        """Deliver nothing more, once the call that is on its way is over."""
        self._ended = True

    def _work(self) -> None:
        while not self._ended:
            with self._changed:
                pause = PAUSE if self.error else BETWEEN
                self._changed.wait_for(lambda: self._asked > self._made, pause)
                wanted = self._asked
            self._deliver()
            with self._changed:
                self._made = wanted
                self._changed.notify_all()

    def _deliver(self) -> None:
        try:
            for spool in list(SPOOLS.values()):
                spool.sync()
            own = [spool.file for spool in list(SPOOLS.values()) if spool.file.exists()]
            IDS.update(deliver_all(own, self._answered)[1])
            self.error = None
        except Exception as error:  # of the store, its database or the network: each has its own kinds
            self.error = error
            if not self._ended:
                warn_that_it_waits(_line(error))

    def _answered(self) -> None:
        self._answers += 1
        if self._ended:
            raise ConnectionAbortedError("nobody waits for this any more")


def worked(thread: threading.Thread) -> float:
    """Seconds that a thread has computed or stood in line; those of all threads, computed alone, where no Linux tells."""
    try:
        counters = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()
    except OSError:
        return time.process_time()
    return (int(counters[0]) + int(counters[1])) / 1e9


SPOOLS: dict[str, Spool] = {}
"""By run, what this process writes to."""
IDS: dict[str, str | None] = {}
"""By run, its id in the dashboard."""
_AWAY: set[str] = set()
"""The dashboards that did not answer when a work was done: this process waits for them no more."""
_WARNED: set[str] = set()
_couriers: list[Courier] = []
_held: list[bool] = []
_began = time.monotonic()


def left() -> bool:
    """Whether the command that started this one delivers its notes: as long as this one is short, and has not begun to."""
    return os.environ.get(LEFT) == "left" and not _couriers and time.monotonic() - _began < LIVE_AFTER


def note(run: str, action: str, arguments: dict[str, Any]) -> None:
    """Write down what the dashboard is to know of a run; a disk that does not take it costs a warning."""
    spool = SPOOLS.setdefault(run, Spool(run))
    try:
        spool.write(action, arguments)
    except OSError as error:
        _warn(str(FOLDER), f"cannot note for the dashboard: {error}")
    if os.environ.get(LEFT) == "left" and not _couriers:
        show()


@contextmanager
def held_back() -> Iterator[None]:
    """What is noted inside is delivered by nobody before `deliver_waiting`."""
    _held.append(True)
    try:
        yield
    finally:
        _held.pop()


def show() -> None:
    """Show a run that begins, if the dashboard answers soon."""
    if not _held and not left() and store_uri() not in _AWAY:
        _attempt(AT_START)


def flush() -> None:
    """Have everything delivered, if the dashboard answers soon; what is not waits, and a warning says where."""
    uri = store_uri()
    if not _held and not left() and uri not in _AWAY and (SPOOLS or waiting_files()):
        if _attempt(AT_END):
            for run, spool in list(SPOOLS.items()):
                spool.close()
                discard(spool.file)
                del SPOOLS[run]
        else:
            _AWAY.add(uri)
            _give_up()


def _give_up() -> None:
    """Leave a thread that still waits to itself: what it waits for may never come."""
    courier = _couriers.pop()
    courier.end()
    if courier.error is None:
        warn_that_it_waits("no answer")


def shown_as(run: str) -> str | None:
    """The id of a run in the dashboard, if it is there by now."""
    return IDS.get(run)


def deliver_waiting() -> int:
    """Deliver all that waits, however long the dashboard takes; returns how many entries that were.

    Raises:
        ConnectionError: where it cannot be delivered, with the reason.
    """
    for spool in SPOOLS.values():
        spool.close()
    SPOOLS.clear()
    ask_patiently()
    _AWAY.discard(store_uri())
    waiting = sum(len(read_entries(file)) for file in waiting_files())
    try:
        count, ids = deliver_all([], lambda: None)
    except Exception as error:
        raise ConnectionError(f"{_line(error)}; {waiting} entries wait in {FOLDER}") from error
    IDS.update(ids)
    return count


def _attempt(patience: float) -> bool:
    ask_briefly()
    if not _couriers:
        load_client()
        _couriers.append(Courier())
    (courier,) = _couriers
    return courier.attempt(patience)


def warn_that_it_waits(reason: str) -> None:
    """Say, once of each dashboard, that it does not know all, and who will tell it."""
    advice = "the next command or `python -m pipelines.publish` delivers it"
    _warn(store_uri(), f"the dashboard does not take what there is to show ({reason}): it waits in {FOLDER}, and {advice}")


def _warn(about: str, text: str) -> None:
    if about not in _WARNED:
        _WARNED.add(about)
        print(f"warning: {text}", file=sys.stderr, flush=True)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:LONGEST]
