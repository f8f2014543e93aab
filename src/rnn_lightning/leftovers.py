"""What killed processes left of files and folders that they had not finished: whose it is, and its removal."""

import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def folders_above(target: Path) -> Iterator[None]:
    """A block that makes ``target``, in folders made if need be, and removed again where it fails and leaves them empty."""
    made = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):  # it has what another process has made
                folder.rmdir()
        raise


def unfinished_name(target: Path) -> str:
    """The beginning of a name beside ``target``, which tells whose it is, of this process; what dead ones left is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_left_by_dead(target)
    return f".{target.name}.{platform.node()}-{os.getpid()}"


def with_final_names(text: str) -> str:
    """A message with what each unfinished file and folder of this machine becomes in place of its name, which is gone then."""
    return re.sub(rf"\.([^/\s]+)\.{re.escape(platform.node())}-\d+(?:\.\w+)*\.(?:partial|tmp)\b", r"\1", text)


def remove_left_by_dead(target: Path) -> None:
    """Remove what processes of this machine that are gone left beside ``target`` while they wrote it.

    The folder before it is there again, if one was killed between taking it away and putting the new one in its place.
    """
    beginning = f".{target.name}.{platform.node()}-"
    for left in [path for path in target.parent.iterdir() if path.name.startswith(beginning)]:
        pid = left.name.removeprefix(beginning).split(".")[0]
        if pid.isdigit() and not _is_there(int(pid)):
            remove_left(left, target)


def remove_left(left: Path, target: Path) -> None:
    """Remove what was left beside ``target``; the folder before it is put back where there is no newer one."""
    if left.name.endswith(".old.partial") and not target.exists():
        left.rename(target)
    elif left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
