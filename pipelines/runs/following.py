"""Processes that end with the one that started them: stages with DVC, DVC with `make repro`, trials with their sweep.

A command follows its starter only where a variable of the environment says that a program started it (`beginning.FOLLOWING`).
What a person starts by hand goes on when the shell is closed, as ``nohup`` and ``setsid`` promise.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import psutil

from pipelines.runs.beginning import STARTER

SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}
PATIENCE = 30.0
"""Seconds that a process has for saving itself when it is asked to end."""
PR_SET_PDEATHSIG = 1

_followed: list[psutil.Process] = []


def follow_starter() -> None:
    """End this process with the one that started it, or with the first one before it that is no shell.

    Linux sends SIGTERM when the parent dies, or the thread of it that started this process; a thread here sees to shells and
    other systems. A starter that was gone before this process could follow it ends the process at once.
    """
    signal_on_death_of_parent()
    starter = _starter()
    if starter is None:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    follow(starter, starter.wait)


def follow(starter: psutil.Process, wait: Callable[[], object]) -> None:
    """End this process by SIGTERM once ``wait`` returns, which is when ``starter`` is gone; ``PATIENCE`` later by SIGKILL."""
    _followed[:] = [starter]

    def end() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()


def signal_on_death_of_parent() -> None:
    """Have Linux send SIGTERM to this process when its parent dies; nothing on other systems."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _starter() -> psutil.Process | None:
    """The nearest process before this one that is no shell; ``None`` where that is gone, and another has its place."""
    parents = psutil.Process().parents()
    starter = next((parent for parent in parents if parent.name() not in SHELLS), None)
    named = os.environ.get(STARTER)
    lost = named is not None and int(named) not in {parent.pid for parent in parents}
    adopted = starter is not None and starter.pid == 1 and not any("dvc" in word for word in starter.cmdline())
    return None if lost or adopted else starter


def followed() -> psutil.Process | None:
    """The process that this one ends with, if any."""
    return _followed[0] if _followed else None
