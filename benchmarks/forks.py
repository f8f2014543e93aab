"""Commands in forks of this process, which has imported all that they need: they are at work at once."""

import importlib
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PRELOADED = ("pipelines.training.run", "pipelines.comparing.report", "pipelines.tracking.delivery", "mlflow.pyfunc", "hydra")
"""What commands import."""


class Forked:
    """A module run with its arguments in ``folder``, with a dashboard there; what it prints is added to the file ``log``."""

    def __init__(self, command: Sequence[str], folder: Path, log: Path) -> None:
        for module in PRELOADED:
            importlib.import_module(module)
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _run(command, folder, log)

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if done else None
        return self.code


def _run(command: Sequence[str], folder: Path, log: Path) -> NoReturn:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    code = 1
    try:
        os.chdir(folder)
        sys.argv = list(command)
        runpy.run_module(command[0], run_name="__main__", alter_sys=False)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        os._exit(code)
