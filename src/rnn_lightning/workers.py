"""Work on rows some at a time, in order: in this process, or in several."""

import os
import pickle
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

ROWS = 4096
"""The rows that are worked on at once."""
_of_worker: list[Callable[[Any], Any]] = []
"""The work of a worker process."""

Row = TypeVar("Row")
Result = TypeVar("Result")
Submit: TypeAlias = Callable[[list[Row]], Callable[[], Result]]
"""Begins work on some rows, and returns what waits for its result."""


class LostWorkerError(ValueError):
    """A worker that ended before its work did."""


class Workers:
    """``count`` processes of this machine; a single one is this process."""

    def __init__(self, count: int = 1) -> None:
        self.count = count

    def __reduce__(self) -> tuple[Any, ...]:
        return Workers, ()  # a worker has none of its own

    def map(
        self, work: Callable[[list[Row]], Result], rows: Iterable[Row], at_once: int | None = None
    ) -> Iterator[tuple[list[Row], Result]]:
        """The ``rows``, ``at_once`` or `ROWS` at a time, and what ``work`` makes of them: the same for any number of workers.

        ``work`` is pickled, and depends on the rows alone.

        Raises:
            LostWorkerError: where a worker process ends before its work does.
        """
        iterator = iter(rows)
        parts = iter(lambda: list(islice(iterator, at_once or ROWS)), [])
        first = list(islice(parts, 2))
        if self.count == 1 or len(first) < 2:  # a single part is done before a process has begun
            yield from ((part, work(part)) for part in chain(_emptied(first), parts))
            return
        with self.begun(work) as submit:
            waiting, most = deque(), 2 * self.count
            for part in chain(_emptied(first), parts):
                waiting.append((part, submit(part)))
                if len(waiting) > most:
                    done, result = waiting.popleft()
                    yield done, result()
            while waiting:
                done, result = waiting.popleft()
                yield done, result()

    @contextmanager
    def begun(self, work: Callable[[list[Row]], Result]) -> Iterator[Submit[Row, Result]]:
        """Workers that wait for rows.

        What a worker is handed as it begins goes through a pipe: more than that holds is waited for without an end if it is
        killed. So the work lies in a file.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "work"
            file.write_bytes(pickle.dumps(work))
            pool: Executor
            others = set(active_children())
            with ProcessPoolExecutor(self.count, get_context("spawn"), _begin, (file,)) as pool:

                def submit(part: list[Row]) -> Callable[[], Result]:
                    try:
                        return pool.submit(_work, part).result
                    except OSError:  # a pipe of a worker that is gone
                        raise BrokenProcessPool from None

                try:
                    yield submit
                except BrokenProcessPool:
                    for worker in set(active_children()) - others:
                        worker.kill()  # the pool has forgotten one that it began meanwhile, and would wait for it
                    raise LostWorkerError(
                        f"one of {self.count} workers was ended, for want of memory or by a signal: preprocess again"
                    ) from None


ALONE = Workers()
"""This process."""


def _emptied(parts: list[Row]) -> Iterator[Row]:
    """The ``parts``, which are then held no longer."""
    while parts:
        yield parts.pop(0)


def _begin(file: Path) -> None:
    """In a worker: read the work, use one thread, leave Ctrl-C to the process that began it, and end with it."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _of_worker[:] = [pickle.loads(file.read_bytes())]


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _work(rows: list[Any]) -> Any:
    return _of_worker[0](rows)
