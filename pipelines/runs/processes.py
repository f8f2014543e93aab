"""Processes of this machine: which of them has a folder to itself, and which is the one that was meant."""

import fcntl
from pathlib import Path
from typing import TextIO

import psutil


def lock_folder(folder: Path, work: str) -> TextIO:
    """A lock on ``folder``, made if need be, that is held until it is closed or the process is gone, however it ends.

    Raises:
        ValueError: where another process holds it; names the ``work`` and the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ValueError(f"another process is at work on {work}, in {folder}") from None
    return lock


def start_time(pid: int) -> float:
    """Seconds from the machine's start to the process's: unlike a time of day, no setting of the clock changes it.

    Numbers of processes are given again; together the two name one process.

    Raises:
        psutil.NoSuchProcess: where there is none.
    """
    return round(psutil.Process(pid).create_time() - psutil.boot_time(), 2)
