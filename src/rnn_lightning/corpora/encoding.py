"""Encoding of text by tokenizers, some rows at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..workers import Workers
from .vocabulary import encode_rows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Row: TypeAlias = tuple[str, ...]
"""The sides of a row of text, each for a tokenizer of its own."""
Encoded: TypeAlias = list[tuple[NDArray[np.int32], NDArray[np.int64]]]
"""Of each side the tokens (N,) of some rows, one after the other, and the offsets (R + 1,)."""


@dataclass(frozen=True)
class Encoder:
    """What the ``tokenizers`` make of rows, each of its side."""

    tokenizers: "Sequence[Tokenizer]"

    def __call__(self, rows: Sequence[Row]) -> Encoded:
        sides = zip(self.tokenizers, zip(*rows, strict=True), strict=True)
        return [encode_rows(tokenizer, side) for tokenizer, side in sides]


def encode(rows: Iterable[Row], tokenizers: "Sequence[Tokenizer]", workers: Workers) -> Iterator[tuple[list[Row], Encoded]]:
    """The ``rows``, some at a time, and what the ``tokenizers`` make of them; as `Workers.map`."""
    return workers.map(Encoder(tokenizers), rows)
