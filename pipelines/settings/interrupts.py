"""What Ctrl-C does to a command: while it is imported, and from its first line of work on."""

import os
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Timer

INTERRUPTED = 130
"""The exit code of a command that SIGINT, as Ctrl-C sends it, has ended; a training that it ends saves before."""
_interrupts: list[int] = []
_waiting: list["Timer"] = []
_AGAIN = 0.05
IMPORTS = "<frozen importlib._bootstrap>"
"""Where the calls are that import a module."""


def end_at_once(*_: object) -> None:
    """For a command that is still imported: no exception, of which some modules make another error."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def begin_work() -> None:
    """Have Ctrl-C raise ``KeyboardInterrupt`` from here on: what a command has begun is to end in order.

    It waits while a module is imported: compiled code that calls Python as it starts may not expect an exception, and abort.
    An error of that time is taken for its consequence.
    """
    import signal
    import threading

    def interrupt(number: int, frame: FrameType | None) -> None:
        _interrupts.append(number)
        if is_importing(frame):
            again = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            _waiting[:] = [again]
            return
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, interrupt)


def is_importing(frame: FrameType | None) -> bool:
    """Whether a call on the stack of ``frame`` imports a module."""
    while frame is not None and frame.f_code.co_filename != IMPORTS:
        frame = frame.f_back
    return frame is not None


def was_interrupted(error: BaseException) -> bool:
    """Whether a command that ends by ``error`` does so by Ctrl-C; one that still waits for an import comes no more."""
    for timer in _waiting:
        timer.cancel()
    saved = isinstance(error, SystemExit) and error.code == INTERRUPTED
    return saved or bool(_interrupts) or isinstance(error, KeyboardInterrupt)
