"""Commands of the pipeline in processes that begin warm: one imports everything, and each command is a fork of it.

``python tests/command_worker.py`` reads a request a line, {"command", "words", "folder", "lines"}, and answers each by one.
"""

import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

COMMANDS = ("fetch", "preprocess", "train", "evaluate", "predict", "sweep", "compare", "publish", "repro", "reproduce")
COMMANDS += ("results", "digest", "grid", "plan", "new")
PATIENCE = 60
"""After so many seconds a command is killed."""
MOST = 8_000_000_000
"""Bytes that a command can have of the machine; more than any is allowed, so that what is taken can be told."""


class Told(NamedTuple):
    """How a command ended: its exit code (-9 if it was killed), what it said, the megabytes that it took, and the seconds of a
    processor: others may be at work on a machine that runs tests."""

    code: int
    out: str
    err: str
    seconds: float
    megabytes: float


class Worker:
    """Runs commands of the project in the folder ``project``, whose code is imported once."""

    def __init__(self, project: Path) -> None:
        home = {"PATH": os.environ["PATH"], "HOME": str(project), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        own = {"PYTHONPATH": f"{project / 'src'}:{project}", "MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [sys.executable, str(Path(__file__).resolve())]
        self.process = subprocess.Popen(command, cwd=project, env=home | own | {"PYTHONDONTWRITEBYTECODE": "1"}, **pipes)

    def run(self, command: str, words: Sequence[str], folder: Path, lines: str = "") -> Told:
        assert self.process.stdin and self.process.stdout
        request = {"command": command, "words": list(words), "folder": str(folder), "lines": lines}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Told(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def worker(project: Path) -> Iterator[Worker]:
    made = Worker(project)
    try:
        yield made
    finally:
        made.close()


def _answer(request: dict[str, str], files: Path) -> Told:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(request, files)
    ended, status, used = os.wait4(child, os.WNOHANG)
    while not ended and time.monotonic() - began < PATIENCE:
        ended, status, used = os.wait4(child, os.WNOHANG)
        time.sleep(0.005)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    out, err = (files.joinpath(name).read_text(errors="replace") for name in ("out", "err"))
    code = os.waitstatus_to_exitcode(status)
    seconds = PATIENCE if not ended else used.ru_utime + used.ru_stime
    return Told(code, out, err, round(seconds, 2), round(used.ru_maxrss / 1e3, 1))


def _become(request: dict[str, str], files: Path) -> None:
    """Be the process of the command, to its end."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    os.chdir(request["folder"])
    (files / "in").write_text(request["lines"])
    with (files / "in").open("rb") as given, (files / "out").open("wb") as out, (files / "err").open("wb") as err:
        for number, file in enumerate((given, out, err)):
            os.dup2(file.fileno(), number)
    name = f"pipelines.{request['command']}"
    sys.argv = [f"pipelines/{request['command']}.py", *request["words"]]
    sys.modules.pop(name, None)
    code: object = 0
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) or ended.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)  # type: ignore[arg-type]


def _serve() -> None:
    import importlib
    import tempfile

    for command in COMMANDS:
        if command != "digest":
            importlib.import_module(f"pipelines.{command}")
    for module in ("pipelines.tracking.store", "pipelines.sweeping.runner", "pipelines.training.run", "mlflow", "hydra"):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as files:
        for line in sys.stdin:
            print(json.dumps(_answer(json.loads(line), Path(files))._asdict()), flush=True)


if __name__ == "__main__":
    _serve()
