"""What Ctrl-C does to a command: while it is imported, and from its first line of work on."""

import os

INTERRUPTED = 130
"""The exit code of a command that SIGINT, as Ctrl-C sends it, has ended; a training that it ends saves before."""
_interrupts: list[int] = []


def end_at_once(*_: object) -> None:
    """For a command that is still imported: no exception, of which some modules make another error."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def begin_work() -> None:
    """Have Ctrl-C raise ``KeyboardInterrupt`` from here on: what a command has begun is to end in order."""
    import signal

    def interrupt(number: int, _: object) -> None:
        _interrupts.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, interrupt)


def was_interrupted(error: BaseException) -> bool:
    """Whether a command that ends by ``error`` does so by Ctrl-C."""
    saved = isinstance(error, SystemExit) and error.code == INTERRUPTED
    return saved or bool(_interrupts) or isinstance(error, KeyboardInterrupt)
