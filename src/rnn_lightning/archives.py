"""Archives of arrays (.npz) whose bytes depend on the arrays alone."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .sliced import write_npy


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz archive whose bytes depend on the arrays alone: on no date, and on no release of Python."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(_Member(f"{name}.npy"), "w", force_zip64=True) as member:
                write_npy(member, array)


class _Member(zipfile.ZipInfo):
    """An entry of 1980 whose header tells the sizes twice, as Python did before 3.11.4; later ones tell them once."""

    def FileHeader(self, zip64: bool | None = None) -> bytes:
        sizes = struct.pack("<HHQQ", 1, 16, self.file_size, self.compress_size)
        large = max(self.file_size, self.compress_size) > zipfile.ZIP64_LIMIT
        stated = (0xFFFFFFFF, 0xFFFFFFFF) if large else (self.compress_size, self.file_size)
        self.extract_version = self.create_version = 45 if large else 20
        name, form = self.filename.encode("ascii"), "<4s5H3L2H"
        first_of_1980 = 0x21
        numbers = (self.extract_version, self.flag_bits, self.compress_type, 0, first_of_1980, self.CRC, *stated)
        return struct.pack(form, b"PK\3\4", *numbers, len(name), len(sizes)) + name + sizes
