"""Archives of arrays: what NumPy reads of them, and bytes that hang on nothing else."""

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from rnn_lightning.archives import write_arrays
from rnn_lightning.files import sha256

ARRAYS = {
    "tokens": np.arange(1000, dtype=np.int32),
    "scored": np.ones((3, 4), dtype=bool),
    "turned": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "nothing": np.zeros((0, 3)),
    "number": np.array(2.5),
}


def test_numpy_reads_what_was_written(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert list(read) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(read[name], array, strict=True)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None


def test_the_bytes_are_those_of_releases_that_wrote_headers_in_another_way(tmp_path: Path) -> None:
    """Each entry by the format's description (PKWARE's APPNOTE 4.3.7): sizes in the header and in its ZIP64 field."""
    write_arrays(tmp_path / "a.npz", ARRAYS)
    data = (tmp_path / "a.npz").read_bytes()
    place = 0
    for name, array in ARRAYS.items():
        version, flags, method, clock, day, check, packed, size, letters, more = struct.unpack(
            "<5H3L2H", data[place + 4 : place + 30]
        )
        assert (version, flags, method, clock, day) == (20, 0, zipfile.ZIP_STORED, 0, 1 << 5 | 1)
        assert data[place + 30 :].startswith(f"{name}.npy".encode() + struct.pack("<2H2Q", 1, 16, size, size))
        assert (packed, letters, more) == (size, len(name) + 4, 20) and size >= array.nbytes
        content = data[place + 30 + letters + more :][:size]
        assert check == zlib.crc32(content)
        place += 30 + letters + more + size
    assert data[place : place + 4] == b"PK\1\2"
    write_arrays(tmp_path / "b.npz", ARRAYS)
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "a.npz", {"objects": np.array([{}])})
