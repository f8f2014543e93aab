"""What Ctrl-C does to a command: while it is imported, and from its first line of work on."""

import os
from types import FrameType

INTERRUPTED = 130
"""The exit code of a command that SIGINT, as Ctrl-C sends it, has ended; a training that it ends saves before."""
_interrupts: list[int] = []
_AGAIN = 0.05


def end_at_once(*_: object) -> None:
    """For a command that is still imported: no exception, of which some modules make another error."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def begin_work() -> None:
    """Have Ctrl-C raise ``KeyboardInterrupt`` from here on: what a command has begun is to end in order.

    It waits while an extension module is loaded: an exception that C++ code does not expect aborts the process.
    """
    import signal
    import threading

    def interrupt(number: int, frame: FrameType | None) -> None:
        if loads_an_extension(frame):
            again = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return
        _interrupts.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, interrupt)


def loads_an_extension(frame: FrameType | None) -> bool:
    """Whether a call on the stack of ``frame`` loads an extension module, compiled code whose start may call Python."""
    from importlib.machinery import ExtensionFileLoader

    while frame is not None:
        if frame.f_code.co_name in ("create_module", "exec_module") and isinstance(
            frame.f_locals.get("self"), ExtensionFileLoader
        ):
            return True
        frame = frame.f_back
    return False


def was_interrupted(error: BaseException) -> bool:
    """Whether a command that ends by ``error`` does so by Ctrl-C."""
    saved = isinstance(error, SystemExit) and error.code == INTERRUPTED
    return saved or bool(_interrupts) or isinstance(error, KeyboardInterrupt)
