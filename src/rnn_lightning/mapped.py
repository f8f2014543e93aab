"""Archives of arrays (.npz) mapped into memory: of an array, only what is read takes memory, which processes share.

The entries of an archive that is not compressed lie in it as NumPy's own files do, so that no other format is needed:
archives of earlier versions, and those that a person writes by ``np.savez``, are mapped too. An entry may begin at any byte;
who computes with its numbers copies the rows that he needs, as a batch does anyway.
"""

import math
import mmap
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pieces import Pieces
from .sliced import Values

RESIDENT = 1 << 26
"""The bytes that may be read of a mapped archive before the process gives its pages back; the system keeps them cached."""
LOCAL_HEADER = struct.Struct("<26xHH")
"""Of an entry in a zip archive: its last two numbers are the lengths of the name and of the extra field, which follow."""


class Archive:
    """The content of an archive, read-only; with the ``hashes`` of its pieces, what is read is compared with them."""

    def __init__(self, path: Path, hashes: bytes | None = None) -> None:
        self.path, self.hashes, self.read = path, hashes, 0
        with path.open("rb") as file:
            self.content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.pieces = None if hashes is None else Pieces(path, self.content, hashes)

    def __reduce__(self) -> tuple[Any, ...]:
        return Archive, (self.path, self.hashes)

    def touch(self, start: int, stop: int) -> None:
        """Compare the bytes from ``start`` to ``stop``, which are about to be read, and give pages back that were."""
        if self.pieces is not None:
            self.pieces.check(start, stop)
        self.read += stop - start
        if self.read > RESIDENT:
            self.content.madvise(mmap.MADV_DONTNEED)
            self.read = 0


@dataclass(frozen=True)
class MappedArray:
    """An array in an archive, of which slices are read."""

    archive: Archive
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @cached_property
    def row(self) -> int:
        """The bytes of a row."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: slice) -> NDArray[Any]:
        """The rows from ``place.start`` to ``place.stop``, a read-only view."""
        first, last, _ = place.indices(self.shape[0])
        rows, start = max(last - first, 0), self.start + first * self.row
        self.archive.touch(start, start + rows * self.row)
        return np.ndarray((rows, *self.shape[1:]), self.dtype, self.archive.content, start)


def map_arrays(path: Path, hashes: bytes | None = None) -> dict[str, Values]:
    """The arrays of an archive by name; those that cannot be mapped, because they are compressed or turned, are read.

    With ``hashes``, those of its pieces, nothing else is read at once. Without, the whole file is compared with its checksums.

    Raises:
        ValueError: where the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as entries:
            archive = Archive(path, hashes)
            if archive.pieces is not None:
                archive.pieces.check(entries.start_dir, len(archive.content))
            elif (damaged := entries.testzip()) is not None:
                raise zipfile.BadZipFile(f"Bad CRC-32 for file {damaged!r}")
            return {entry.filename.removesuffix(".npy"): _array(archive, entries, entry) for entry in entries.infolist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error) as error:
        raise ValueError(f"{path} is damaged: {error}; preprocess the corpus again") from None


def _array(archive: Archive, entries: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Values:
    """The array of an entry."""
    start = entry.header_offset + LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack_from(archive.content, entry.header_offset))
    with entries.open(entry) as content:
        if archive.pieces is not None:
            archive.pieces.check(entry.header_offset, start + 128)
        if entry.compress_type == zipfile.ZIP_STORED and np.lib.format.read_magic(content) == (1, 0):
            shape, turned, dtype = np.lib.format.read_array_header_1_0(content)
            size = math.prod(shape) * dtype.itemsize
            if shape and not turned and not dtype.hasobject and content.tell() + size == entry.file_size:
                return MappedArray(archive, start + content.tell(), shape, dtype)
    if archive.pieces is not None:
        archive.pieces.check(start, start + entry.compress_size)
    with entries.open(entry) as content:
        return np.lib.format.read_array(content, allow_pickle=False)
