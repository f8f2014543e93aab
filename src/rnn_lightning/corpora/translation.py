"""Parallel text: two columns of a data set as pairs of sequences.

Multi30k (Elliott et al., "Multi30K: Multilingual English-German Image Descriptions", 2016, arXiv:1605.00459) is one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..sliced import SpooledLines, SpooledRows
from ..workers import ALONE, Workers
from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, Pairs, RawSplit
from .encoding import Encoded, Row, encode
from .parquet import TextColumns
from .reads import Column
from .source import FromSource
from .vocabulary import (
    END,
    UNKNOWN_TOKEN,
    check_frequency,
    check_level,
    encode_rows,
    learn_sentence_tokenizer,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Texts: TypeAlias = Iterable[tuple[str, ...]]
"""Rows of source and target text, each one line."""


@dataclass(frozen=True)
class Tokens:
    """The tokenization of both sides.

    ``level``, ``vocabulary_size``, ``min_frequency`` and ``lowercase`` are those of `learn_sentence_tokenizer`, for each
    side, or with ``joint`` for one vocabulary that is learned from both. Training pairs with more than ``longest`` tokens
    on a side, the end not counted, are dropped.
    """

    level: str
    vocabulary_size: int | None = None
    joint: bool = False
    lowercase: bool = False
    min_frequency: int = 1
    longest: int | None = None

    def __post_init__(self) -> None:
        check_level(self.level, self.vocabulary_size)
        check_frequency(self.level, self.min_frequency)
        if self.longest is not None and self.longest < 1:
            raise ValueError(f"longest must be at least 1, or None for any length, not {self.longest}")


@dataclass(kw_only=True, eq=False)
class Translation(FromSource):
    """A pairs corpus: the columns ``source`` and ``target`` of a data set.

    A column is text, or a field of a column of structs: ``translation.en``. Sides become single lines without blanks
    around them. Both sides end with ``<eos>``; there is no begin mark. Training pairs with an empty side are dropped,
    validation and test keep every row. The fields from ``level`` on are those of `Tokens`, the others those of `FromSource`.
    """

    source: str
    target: str
    level: str
    vocabulary_size: int | None = None
    joint: bool = False
    lowercase: bool = False
    min_frequency: int = 1
    longest: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source == self.target:
            raise ValueError(f"source and target must be two columns, not both {self.source!r}")
        options = self.vocabulary_size, self.joint, self.lowercase, self.min_frequency, self.longest
        self.tokens = Tokens(self.level, *options)

    def columns(self) -> list[Column]:
        return [Column("source", self.source, "text"), Column("target", self.target, "text")]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source, columns = self.verified(raw), (self.source, self.target)
        texts = {split: Sides(TextColumns(raw / f"{split}.parquet", columns)) for split in SPLITS}
        title = f"{self.origin.title}, {' to '.join(columns)} by {self.level}"
        write_translation(processed, texts, title=title, source=source, tokens=self.tokens, workers=self.workers)

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("translation", list(Sides(TextColumns(path, (self.source, self.target)))))


@dataclass(frozen=True)
class Sides:
    """Rows of text, each side as one line."""

    rows: Iterable[tuple[str, ...]]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return (tuple(map(one_line, row)) for row in self.rows)


def one_line(text: str) -> str:
    """The text with line breaks replaced by blanks, stripped."""
    return " ".join(text.splitlines()).strip()


def write_translation(
    processed: Path,
    texts: Mapping[str, Texts],
    *,
    title: str,
    source: Mapping[str, Any],
    tokens: Tokens,
    workers: Workers = ALONE,
) -> None:
    """Learn the tokenizers from the training ``texts`` and write every split, its text, both tokenizers and the card.

    The ``texts`` are gone through more than once, and held some at a time.

    Raises:
        CorpusError: where a split is empty, or no training pair is left.
    """
    tokenizers = learn_both(texts["train"], tokens)
    splits, files, dropped = {}, {}, Counter()
    for split, some in texts.items():
        encoded = EncodedPairs(processed.parent)
        for rows, sides in encode(some, tokenizers, workers):
            left_out = why_dropped(rows, sides, tokens.longest) if split == "train" else {}
            dropped.update({why: int(mask.sum()) for why, mask in left_out.items()})
            encoded.append(rows, sides, ~np.logical_or.reduce([np.zeros(len(rows), np.bool_), *left_out.values()]))
        splits[split] = encoded.pairs()
        files |= dict(zip((f"{split}.source.txt", f"{split}.target.txt"), encoded.texts, strict=True))
    if not splits["train"].sizes()["rows"]:
        limit = "" if tokens.longest is None else f", and at most {tokens.longest} tokens"
        raise CorpusError(f"{title}: no training pair has text on both sides{limit}")
    files |= {"tokenizer.json": [tokenizers[0].to_str(pretty=True)]}
    files |= {"target_tokenizer.json": [tokenizers[1].to_str(pretty=True)]}
    write_processed(processed, splits, card_fields(title, source, tokens, tokenizers, dropped), files)


def learn_both(texts: Texts, tokens: Tokens) -> "tuple[Tokenizer, Tokenizer]":
    """The tokenizers of source and target, learned from pairs with both sides; the same one where they are joint."""

    def learn(*sides: int) -> "Tokenizer":
        lines = (pair[side] for pair in texts if all(pair) for side in sides)
        size, least = tokens.vocabulary_size, tokens.min_frequency
        return learn_sentence_tokenizer(lines, tokens.level, size, min_frequency=least, lowercase=tokens.lowercase)

    if tokens.joint:
        joint = learn(0, 1)
        return joint, joint
    return learn(0), learn(1)


def encode_pairs(texts: Sequence[Row], tokenizers: "tuple[Tokenizer, Tokenizer]") -> Pairs:
    """The arrays of source and target of the rows."""
    (inputs, input_offsets), (targets, target_offsets) = (
        encode_rows(tokenizer, [row[side] for row in texts]) for side, tokenizer in enumerate(tokenizers)
    )
    return Pairs(inputs, input_offsets, targets, target_offsets)


def why_dropped(rows: Sequence[Row], sides: Encoded, longest: int | None) -> dict[str, NDArray[np.bool_]]:
    """Masks (R,) of the pairs that lack a side, and of the others with more than ``longest`` tokens, the end not counted."""
    empty = np.array([not all(pair) for pair in rows], np.bool_)
    most = np.maximum(*(np.diff(offsets) for _, offsets in sides)) - 1
    return {"empty": empty, "long": ~empty & (most > (most.max() if longest is None else longest))}


class EncodedPairs:
    """The pairs of a split and their text, in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.tokens = [SpooledRows(np.int32, folder) for _ in range(2)]
        self.texts = [SpooledLines(folder) for _ in range(2)]

    def append(self, rows: Sequence[Row], sides: Encoded, kept: NDArray[np.bool_]) -> None:
        """Those of the ``rows`` (R,) that are ``kept`` (R,), and what the tokenizers made of them."""
        for place, (ids, offsets) in enumerate(sides):
            lengths = np.diff(offsets)
            self.tokens[place].append(ids[np.repeat(kept, lengths)], lengths[kept])
            self.texts[place].append(compress((row[place] for row in rows), kept))

    def pairs(self) -> Pairs:
        """The arrays of source and target."""
        source, target = self.tokens
        return Pairs(source.values, source.offsets, target.values, target.offsets)


def card_fields(
    title: str,
    source: Mapping[str, Any],
    tokens: Tokens,
    tokenizers: "tuple[Tokenizer, Tokenizer]",
    dropped: Mapping[str, int],
) -> CardFields:
    """The fields of the card that are not measured."""
    source_tokenizer, target_tokenizer = tokenizers
    return CardFields(
        title,
        source,
        vocabulary_size=source_tokenizer.get_vocab_size(),
        unknown=source_tokenizer.token_to_id(UNKNOWN_TOKEN),
        target_unknown=target_tokenizer.token_to_id(UNKNOWN_TOKEN),
        more={
            "target_vocabulary_size": target_tokenizer.get_vocab_size(),
            "end": source_tokenizer.token_to_id(END),
            "target_end": target_tokenizer.token_to_id(END),
            "level": tokens.level,
            "joint": tokens.joint,
            "lowercase": tokens.lowercase,
            "min_frequency": tokens.min_frequency,
            "longest": tokens.longest,
            "dropped_rows": dict(dropped),
        },
    )
