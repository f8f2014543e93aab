"""Bytes on disk: folders that are whole or absent, files that are the same on every run, and their SHA-256."""

import hashlib
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rnn_lightning.corpora.corpus import CorpusError, Pairs, Stream, present

SOURCE = "source.json"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place, durably, if the block ends well, and else vanishes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp lets nobody else read
        for path in [*partial.iterdir(), partial]:
            _flush(path)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
        _flush(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` so that no reader and no crash ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _flush(partial)
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``.

    Raises:
        CorpusError: where the file is missing or no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise CorpusError(f"{path} must hold a JSON object, not {type(content).__name__}")
    return content


def write_split(path: Path, split: Stream | Pairs) -> None:
    """Write the arrays under their field names; equal arrays give equal bytes."""
    write_arrays(path, present(split))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """An .npz file as ``numpy.savez`` makes it, whose bytes hang on the arrays alone: no date, and no release of Python."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(_Member(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


class _Member(zipfile.ZipInfo):
    """An entry of 1980 whose header tells the sizes twice, as Python did before 3.11.4; later ones tell them once."""

    def FileHeader(self, zip64: bool | None = None) -> bytes:
        sizes = struct.pack("<HHQQ", 1, 16, self.file_size, self.compress_size)
        large = max(self.file_size, self.compress_size) > zipfile.ZIP64_LIMIT
        told = (0xFFFFFFFF, 0xFFFFFFFF) if large else (self.compress_size, self.file_size)
        self.extract_version = self.create_version = 45 if large else 20
        name, form = self.filename.encode("ascii"), "<4s5H3L2H"
        first_of_1980 = 0x21
        numbers = (self.extract_version, self.flag_bits, self.compress_type, 0, first_of_1980, self.CRC, *told)
        return struct.pack(form, b"PK\3\4", *numbers, len(name), len(sizes)) + name + sizes


def sha256(*paths: Path) -> str:
    """One SHA-256, in hexadecimal, over the bytes of the files in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def verified_source(raw: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What ``fetch`` noted in ``raw``, after a check that it is what was ``asked`` for, and of every file's hash against it.

    Raises:
        CorpusError: where another corpus was fetched, a file is missing or its bytes have changed.
    """
    source = read_json(raw / SOURCE)
    for name, value in asked.items():
        if source.get(name) != value:
            raise CorpusError(f"{raw / SOURCE} has {name} {source.get(name)!r}, not {value!r}; fetch the corpus again")
    for name, expected in source["files"].items():
        path = raw / name
        if not path.exists():
            raise CorpusError(f"{path} is missing; fetch the corpus again")
        if (got := sha256(path)) != expected:
            raise CorpusError(f"{path} is damaged: its SHA-256 is {got}, {SOURCE} says {expected}; fetch it again")
    return source


def _flush(path: Path) -> None:
    """Have the system put ``path``, a file or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
