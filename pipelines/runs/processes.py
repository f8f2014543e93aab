"""Processes of this machine: which of them has a folder to itself, and which is the one that was meant."""

import fcntl
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import psutil

from pipelines.runs.following import PATIENCE, followed
from rnn_lightning.leftovers import remove_left


def lock_folder(folder: Path, work: str, *, waits: bool = False) -> TextIO:
    """A lock on ``folder``, made if need be, that is held until it is closed or the process is gone, however it ends.

    A process that holds it although the command that had started it is gone is ended, as a line on stderr says.

    Args:
        work: what is done there, for the message.
        waits: whether to wait for another process that holds it, saying so.

    Raises:
        ValueError: where another process holds it; names the ``work`` and the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("a+")
    if not _lock(lock) and not _take_from_stale(lock, work):
        if not waits:
            lock.close()
            raise ValueError(f"another process is at work on {work}, in {folder}")
        print(f"another process is at work on {work}: waiting for it to end", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    lock.truncate(0)
    starter = followed()
    known = {"host": platform.node(), "process": identity(psutil.Process()), "starter": starter and identity(starter)}
    lock.write(json.dumps(known))
    lock.flush()
    return lock


def _lock(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_from_stale(lock: TextIO, work: str) -> bool:
    """Take the lock from a process of this machine whose starter is gone: it is asked to end, and after a time made to."""
    lock.seek(0)
    try:
        holder: dict[str, Any] = json.loads(lock.read())
    except ValueError:  # it has the lock, and has not yet said who it is
        return False
    if holder["host"] != platform.node() or holder["starter"] is None or lives(holder["starter"]):
        return False
    pid = holder["process"][0]
    print(f"ending process {pid}, left behind at {work} by a command that is gone", file=sys.stderr, flush=True)
    for number, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, PATIENCE)):
        if lives(holder["process"]):
            os.kill(pid, number)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if _lock(lock):
                return True
            time.sleep(0.05)
    return False


def identity(process: psutil.Process) -> list[float]:
    """What names one process of this machine: its number, which is given again, and when it was born."""
    return [process.pid, round(process.create_time() - psutil.boot_time(), 2)]


def lives(process: list[float]) -> bool:
    """Whether the process of that identity is there, and at work."""
    pid, born = process
    try:
        return start_time(int(pid)) == born and psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left beside and in ``target`` while they wrote it; whoever calls it holds its lock.

    The folder before it is there again, if one was killed between taking it away and putting the new one in its place.
    """
    for end in ("partial", "tmp"):
        for left in target.parent.glob(f".{target.name}.*.{end}"):
            remove_left(left, target)
    for left in target.glob(".*.tmp"):
        left.unlink(missing_ok=True)


@contextmanager
def made_alone(target: Path, work: str) -> Iterator[None]:
    """A block that makes ``target``, without what killed processes left beside it; another process that makes it is waited for.

    ``work`` is what is done, for the message.
    """
    with lock_folder(Path("work/locks") / "-".join(target.parts), work, waits=True):
        remove_leftovers(target)
        yield


def start_time(pid: int) -> float:
    """Seconds from the machine's start to the process's: unlike a time of day, no setting of the clock changes it.

    Numbers of processes are given again; together the two name one process.

    Raises:
        psutil.NoSuchProcess: where there is none.
    """
    return identity(psutil.Process(pid))[1]
