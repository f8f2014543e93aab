"""Processes of this machine: which of them has a folder to itself, and which is the one that was meant."""

import fcntl
import shutil
import sys
from pathlib import Path
from typing import TextIO

import psutil


def lock_folder(folder: Path, work: str, *, waits: bool = False) -> TextIO:
    """A lock on ``folder``, made if need be, that is held until it is closed or the process is gone, however it ends.

    Args:
        work: what is done there, for the message.
        waits: whether to wait for another process that holds it, saying so.

    Raises:
        ValueError: where another process holds it; names the ``work`` and the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not waits:
            lock.close()
            raise ValueError(f"another process is at work on {work}, in {folder}") from None
        print(f"another process is at work on {work}: waiting for it to end", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left beside ``target`` while they wrote it; whoever calls it holds its lock."""
    for left in target.parent.glob(f".{target.name}.*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    for left in target.parent.glob(f".{target.name}.*.tmp"):
        left.unlink(missing_ok=True)


def start_time(pid: int) -> float:
    """Seconds from the machine's start to the process's: unlike a time of day, no setting of the clock changes it.

    Numbers of processes are given again; together the two name one process.

    Raises:
        psutil.NoSuchProcess: where there is none.
    """
    return round(psutil.Process(pid).create_time() - psutil.boot_time(), 2)
