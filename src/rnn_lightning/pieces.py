"""Hashes of a large file by piece: what is read of it is compared with them when it is first read, and nothing else is.

A hash of the whole file would have to read all of it before the first batch, and a note that it was compared once would not see
what the disk did to it since.
"""

import hashlib
from mmap import mmap
from pathlib import Path

from .files import DamagedError

PIECE = 1 << 16
"""The bytes of a piece. One batch of short rows in random order reads a piece for each row."""
DIGEST = hashlib.sha256().digest_size


def pieces_of(path: Path) -> Path:
    """The file with the hashes of ``path``, beside it."""
    return path.with_suffix(".pieces")


def write_pieces(path: Path) -> None:
    """Write the SHA-256 of each piece of ``path``, 32 bytes each, one after the other."""
    with path.open("rb") as file, pieces_of(path).open("wb") as hashes:
        while piece := file.read(PIECE):
            hashes.write(hashlib.sha256(piece).digest())


class Pieces:
    """The pieces of ``content``, which is that of ``path``, each compared with its hash once."""

    def __init__(self, path: Path, content: mmap, hashes: bytes) -> None:
        self.path, self.content, self.hashes = path, content, hashes
        count = -(-len(self.content) // PIECE)
        if count * DIGEST != len(hashes):
            raise self._damaged(f"it has {count} pieces and {pieces_of(path).name} {len(hashes) // DIGEST} hashes")
        self.compared = bytearray(count)

    def check(self, start: int, stop: int) -> None:
        """Compare the pieces with the bytes from ``start`` to ``stop``.

        Raises:
            DamagedError: for a piece that differs.
        """
        for piece in range(start // PIECE, -(-min(stop, len(self.content)) // PIECE)):
            if not self.compared[piece]:
                self._compare(piece)

    def _compare(self, piece: int) -> None:
        start, stop = piece * PIECE, min((piece + 1) * PIECE, len(self.content))
        digest = hashlib.sha256(self.content[start:stop]).digest()
        if digest != self.hashes[piece * DIGEST : (piece + 1) * DIGEST]:
            raise self._damaged(f"its bytes {start} to {stop} are not those that were written")
        self.compared[piece] = 1

    def _damaged(self, how: str) -> DamagedError:
        return DamagedError(f"{self.path} is damaged, {how}: preprocess the corpus again")
