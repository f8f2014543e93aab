"""Faults of the file system on demand: the n-th write, open, rename, sync or mkdir of a command fails.

A command runs in a forked process, in a folder of its own. Everything that it does to files in that folder is a fault point;
they are numbered from 0 in the order in which they come.
"""

import builtins
import errno
import importlib
import io
import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

PRELOADED = ("pipelines.training.run", "pipelines.comparing.report", "pipelines.tracking.delivery", "mlflow.pyfunc", "hydra")
"""What commands import: a fork has it already."""
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EIO)
"""No space, no permission, input/output error: in turn, by the number of the fault point."""
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Faults:
    """Counts fault points below ``root`` and raises at number ``failing``, or is ``killed`` there; ``None``: at none."""

    root: str
    failing: int | None
    killed: bool = False
    points: list[str] = field(default_factory=list)

    def point(self, kind: str, path: Any) -> None:
        name = os.path.abspath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else ""
        if not name.startswith(self.root):
            return
        number = len(self.points)
        self.points.append(f"{kind} {os.path.relpath(name, self.root)}")
        if number == self.failing:
            if self.killed:
                os.kill(os.getpid(), signal.SIGKILL)
            code = ERRORS[number % len(ERRORS)]
            raise OSError(code, os.strerror(code), name)

    def on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if (set(mode or "") & set("wax+")) if mode else (flags or 0) & CHANGING:
                self.point("open", path)
        elif event in ("os.rename", "os.mkdir"):
            self.point(event.removeprefix("os."), arguments[1 if event == "os.rename" else 0])

    def install(self) -> None:
        """Watch this process, for the rest of its life."""
        opened, synced = io.open, os.fsync

        def watched_open(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            handle = opened(file, mode, *rest, **more)
            return Written(handle, lambda: self.point("write", file)) if set(mode) & set("wax+") else handle

        def watched_sync(handle: int) -> None:
            self.point("sync", os.readlink(f"/proc/self/fd/{handle}"))
            synced(handle)

        sys.addaudithook(self.on_audit)
        builtins.open = io.open = watched_open  # pyright: ignore[reportAttributeAccessIssue]
        os.fsync = watched_sync


class Written:
    """An open file of which write number 1, 2, 4, 8, ... is a fault point."""

    def __init__(self, file: Any, point: Callable[[], None]) -> None:
        self._file, self._point, self._writes = file, point, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Any:
        return iter(self._file)

    def write(self, content: Any) -> int:
        self._writes += 1
        if self._writes.bit_count() == 1:
            self._point()
        return self._file.write(content)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)


@dataclass
class Outcome:
    """How a command ended: its exit code, what it printed, and the fault points that it passed."""

    code: int
    output: str
    points: list[str]


def attempt(command: Sequence[str], folder: Path, failing: int | None = None, *, killed: bool = False) -> Outcome:
    """Run ``python -m`` ``command`` in ``folder``, in a fork of this process; fault point ``failing`` fails, or kills it."""
    for name in PRELOADED:
        importlib.import_module(name)
    printed, passed = folder.with_name(f"{folder.name}.out"), folder.with_name(f"{folder.name}.points")
    child = os.fork()
    if child == 0:
        _run(command, folder, Faults(f"{folder.resolve()}{os.sep}", failing, killed), printed, passed)
    _, status = os.waitpid(child, 0)
    points = passed.read_text().splitlines() if passed.exists() else []
    return Outcome(os.waitstatus_to_exitcode(status), printed.read_text(errors="replace"), points)


def _run(command: Sequence[str], folder: Path, faults: Faults, printed: Path, passed: Path) -> NoReturn:
    handle = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    code = 1
    try:
        os.chdir(folder)
        sys.argv = list(command)
        faults.install()
        runpy.run_module(command[0], run_name="__main__", alter_sys=False)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        faults.failing, points = None, list(faults.points)
        passed.write_text("\n".join(points))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
