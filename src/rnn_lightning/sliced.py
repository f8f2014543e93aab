"""Arrays that are read by slices, so that they may be larger than memory: in memory, or on the disk and written by parts."""

import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCK = 1 << 18
"""The numbers that are read at once of an array that is gone through."""


class Values(Protocol):
    """What slices of an array can be read from: a NumPy array, or one that lies on the disk."""

    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, place: slice, /) -> NDArray[Any]: ...


def blocks(values: Values, start: int = 0, stop: int | None = None) -> Iterator[NDArray[Any]]:
    """The rows from ``start`` to ``stop``, or to the end, at most `BLOCK` numbers at a time."""
    end, rows = len(values) if stop is None else stop, rows_of_block(values)
    return (values[first : min(first + rows, end)] for first in range(start, end, rows))


def rows_of_block(values: Values) -> int:
    """How many rows are `BLOCK` numbers, at least one."""
    return max(1, BLOCK // max(1, math.prod(values.shape[1:])))


class SpooledArray:
    """An array (N, ...) that grows at its end, in a file of ``folder`` that has no name, so that none is ever left."""

    def __init__(self, dtype: DTypeLike, folder: Path) -> None:
        self.dtype, self.shape = np.dtype(dtype), (0,)
        folder.mkdir(parents=True, exist_ok=True)
        self.file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (closed with the array)

    @classmethod
    def of(cls, numbers: Iterable[Any], dtype: DTypeLike, folder: Path) -> "SpooledArray":
        """The array (N,) of ``numbers``, which are gone through once."""
        array, iterator = cls(dtype, folder), iter(numbers)
        while len(part := np.fromiter(islice(iterator, BLOCK), array.dtype)):
            array.append(part)
        return array

    def append(self, part: NDArray[Any]) -> None:
        """Write ``part`` (M, ...) behind what is there, which has rows of the same shape."""
        data, end = memoryview(part.astype(self.dtype).tobytes()), len(self) * self._row(part.shape)
        while data:  # a disk that is nearly full takes less than all
            written = os.pwrite(self.file.fileno(), data, end)
            data, end = data[written:], end + written
        self.shape = (len(self) + len(part), *part.shape[1:])

    def _row(self, shape: tuple[int, ...]) -> int:
        """The bytes of a row."""
        return math.prod(shape[1:]) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: slice) -> NDArray[Any]:
        start, stop, _ = place.indices(len(self))
        rows, size = max(stop - start, 0), self._row(self.shape)
        return np.frombuffer(os.pread(self.file.fileno(), rows * size, start * size), self.dtype).reshape(rows, *self.shape[1:])


class SpooledRows:
    """Sequences of many lengths, one after the other, in a file of ``folder``."""

    def __init__(self, dtype: DTypeLike, folder: Path) -> None:
        self.values = SpooledArray(dtype, folder)
        self._lengths = [np.zeros(1, np.int64)]

    def append(self, values: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        """Write sequences of these ``lengths`` (R,), whose ``values`` (M, ...) are one after the other."""
        self.values.append(values)
        self._lengths.append(lengths)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each sequence begins in the values, and the last ends, (R + 1,)."""
        return np.cumsum(np.concatenate(self._lengths))


def write_npy(file: IO[bytes], array: Any) -> None:
    """Write an array in NumPy's own format, to the same bytes wherever it lies."""
    if isinstance(array, SpooledArray):
        header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.writelines(block.tobytes() for block in blocks(array))
    else:
        np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


class SpooledLines:
    """Lines of text that grow at their end, in a file of ``folder`` that has no name; iterated with their line feeds."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = tempfile.TemporaryFile("w+", dir=folder, encoding="utf-8", newline="\n")  # noqa: SIM115

    def append(self, lines: Iterable[str]) -> None:
        self.file.writelines(f"{line}\n" for line in lines)

    def __iter__(self) -> Iterator[str]:
        self.file.seek(0)
        return iter(self.file)
