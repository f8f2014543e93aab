"""The first thing that a command does, with imports that take no time: Ctrl-C is one line from here on."""

import os
import signal
import sys
from types import TracebackType

STARTER = "PIPELINES_STARTER"
"""The variable that names the process which a command here has started another for, by its number."""
FOLLOWING = (STARTER, "DVC_STAGE", "LOCAL_RANK")
"""Variables of the processes that follow: ours, DVC's for its stages, Lightning's for its further processes."""


def begin_command() -> None:
    """Set the hook for Ctrl-C, and follow the starter if a variable of ``FOLLOWING`` says that a program was it."""
    sys.excepthook = _end_in_one_line
    if any(name in os.environ for name in FOLLOWING):
        from pipelines.runs.following import follow_starter

        follow_starter()


def _end_in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's hook for what nobody catches; a command that is interrupted while it is still imported has done nothing yet."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("interrupted", file=sys.stderr)
    raise SystemExit(128 + signal.SIGINT)
