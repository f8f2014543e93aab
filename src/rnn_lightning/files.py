"""Files on disk: whole or absent whatever ends the process, equal bytes for equal content, and their SHA-256."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .leftovers import folders_above, unfinished_name

SUMS = "SHA256SUMS"
"""The file of a folder that lists the SHA-256 of all others, as ``sha256sum`` does."""


class DamagedError(ValueError):
    """A file that does not have the bytes that were written; the message names it, and says what makes it again."""


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Atomic replacement of a file: a path beside ``target`` to write to, synced and renamed to it if the block ends well."""
    partial = target.with_name(f"{unfinished_name(target)}.tmp")
    try:
        with _errors_named(target):
            yield partial
            flush(partial)
            partial.replace(target)
            flush(target.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _errors_named(target: Path) -> Iterator[None]:
    """An error of the system in the block names a file, ``target`` if no other, and of a full disk what is free there."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(target)
        if error.errno == errno.ENOSPC and "are free" not in str(error.strerror):
            error.strerror = f"{error.strerror} ({shutil.disk_usage(target.parent).free / 1e6:.1f} MB are free)"
        raise


@contextmanager
def whole_folder(target: Path, *, sums: bool = False) -> Iterator[Path]:
    """Atomic replacement of a folder: a folder beside ``target``, synced and renamed to it if the block ends well.

    With ``sums`` it gets a `SUMS`, which `check_sums` reads.
    """
    with folders_above(target), _errors_named(target):
        partial = Path(tempfile.mkdtemp(prefix=f"{unfinished_name(target)}.", suffix=".partial", dir=target.parent))
        try:
            yield partial
            if sums:
                write_sums(partial)
            partial.chmod(0o755)  # mkdtemp lets nobody else read
            for path in [*partial.iterdir(), partial]:
                flush(path)
            _replace_folder(target, partial)
            flush(target.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _replace_folder(target: Path, new: Path) -> None:
    """Rename ``new`` to ``target``; where that fails, what was there is there again."""
    old = new.with_name(f"{new.name.removesuffix('.partial')}.old.partial")
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def made_once(target: Path, make: Callable[[Path], object]) -> None:
    """Create ``target`` by ``make(path)`` unless it exists; of several processes at once one does, the others wait for it."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            unfinished = target.with_name(f"{target.name}.new")
            unfinished.unlink(missing_ok=True)
            make(unfinished)
            unfinished.rename(target)


def flush(path: Path) -> None:
    """Have the system put ``path``, a file or the names in a folder, on the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text, atomically."""
    with written_beside(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, atomically."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, one by one, without their ends; every text file that a person may have made is read here.

    It is UTF-8, a byte order mark at its beginning is no part of it, and a line ends as on any system: with a line feed, a
    carriage return or both. No other sign ends a line.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for bytes that are no UTF-8, or a zero byte; names the file and the line.
    """
    return (line.removesuffix("\n") for line in _text(path))


def read_text(path: Path) -> str:
    """The text of a file as ``read_lines`` reads it, with a line feed for each end of a line."""
    return "".join(_text(path))


def _text(path: Path) -> Iterator[str]:
    """The lines of a text file with their ends, each a line feed."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if "\0" in line:
                    raise ValueError(f"{path}:{number} has a zero byte, and so is no text: save the file as UTF-8")
                yield line
    except UnicodeDecodeError:
        raise ValueError(_undecodable(path)) from None


def _undecodable(path: Path) -> str:
    """What is to be said of a file that is not UTF-8: its first such line, and the byte in it."""
    with path.open("rb") as file:
        for number, line in enumerate((line for block in file for line in block.splitlines()), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"{path}:{number} is not UTF-8 at byte {error.start + 1}: save it as UTF-8 (`iconv -f latin1 -t utf-8`)"
    return f"{path} is not UTF-8: save it as UTF-8"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it holds no JSON object; names the file.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, not {type(content).__name__}")
    return content


def sha256(*paths: Path) -> str:
    """One SHA-256, in hexadecimal, over the bytes of the files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def write_sums(folder: Path, names: Iterable[str] | None = None) -> None:
    """Write `SUMS`: the SHA-256 of the files in ``folder``, or of those with these ``names``.

    ``sha256sum -c SHA256SUMS`` compares them; the first line, a comment there, is the SHA-256 of the others.
    """
    listed = sorted(path.name for path in folder.iterdir() if path.is_file()) if names is None else sorted(names)
    _write_sums(folder, {name: sha256(folder / name) for name in listed if name != SUMS})


def add_sum(folder: Path, name: str) -> None:
    """Add a file to the `SUMS` of its folder."""
    _write_sums(folder, {**_read_sums(folder), name: sha256(folder / name)})


def _write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    write_text(folder / SUMS, _heading(lines.encode()) + lines)


def check_sums(
    folder: Path, names: Iterable[str] | None = None, *, again: str, besides: Iterable[str] = (), unlisted: bool = False
) -> None:
    """Compare the files in ``folder``, or those with these ``names``, with its `SUMS`.

    Args:
        again: what to do where one differs, the end of the message.
        besides: files that whoever reads them compares.
        unlisted: a file of ``names`` may also not be listed.

    Raises:
        DamagedError: for a file that differs, is missing or is not listed.
        ValueError: where there is no `SUMS`: an earlier version left none.
    """
    if not (folder / SUMS).exists():
        raise ValueError(f"{folder} has no {SUMS}, as earlier versions left it: {again}")
    try:
        sums = _read_sums(folder)
        for name in sums.keys() - set(besides) if names is None else names:
            if name in sums:
                _check_sum(folder / name, sums[name])
            elif not unlisted:
                raise DamagedError(f"{folder / name} is not listed in {SUMS}")
    except DamagedError as error:
        raise DamagedError(f"{error}: {again}") from None


def _check_sum(path: Path, expected: str) -> None:
    if not path.is_file():
        raise DamagedError(f"{path} is missing, which {SUMS} lists")
    if (actual := sha256(path)) != expected:
        raise DamagedError(f"{path} is damaged, its SHA-256 is {actual[:12]}... and {SUMS} says {expected[:12]}...")


def _read_sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file by its name."""
    heading, end, lines = (folder / SUMS).read_bytes().partition(b"\n")
    if heading + end != _heading(lines).encode():
        raise DamagedError(f"{folder / SUMS} is damaged, its first line is not the SHA-256 of the others")
    return {line[66:]: line[:64] for line in lines.decode().split("\n")[:-1]}


def _heading(lines: bytes) -> str:
    return f"# SHA-256 of the lines below: {hashlib.sha256(lines).hexdigest()}\n"
