"""Parallel text: two columns of a data set as pairs of sequences.

Multi30k (Elliott et al., "Multi30K: Multilingual English-German Image Descriptions", 2016, arXiv:1605.00459) is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, Pairs, RawSplit
from .reads import Column
from .source import FromSource
from .text import read_columns
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

Texts: TypeAlias = Sequence[tuple[str, str]]
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
        source = self.verified(raw)
        texts, columns = {}, (self.source, self.target)
        for split in SPLITS:
            sources, targets = read_columns(raw / f"{split}.parquet", columns)
            texts[split] = list(zip(map(one_line, sources), map(one_line, targets), strict=True))
        title = f"{self.origin.title}, {' to '.join(columns)} by {self.level}"
        write_translation(processed, texts, title=title, source=source, tokens=self.tokens)

    def raw_split(self, path: Path) -> RawSplit:
        sides = (map(one_line, column) for column in read_columns(path, (self.source, self.target)))
        return RawSplit("translation", list(zip(*sides, strict=True)))


def one_line(text: str) -> str:
    """The text with line breaks replaced by blanks, stripped."""
    return " ".join(text.splitlines()).strip()


def write_translation(
    processed: Path, texts: Mapping[str, Texts], *, title: str, source: Mapping[str, Any], tokens: Tokens
) -> None:
    """Learn the tokenizers from the training ``texts`` and write every split, its text, both tokenizers and the card.

    Raises:
        CorpusError: where a split is empty, or no training pair is left.
    """
    whole = [pair for pair in texts["train"] if all(pair)]
    tokenizers = learn_both(whole, tokens)
    train = [pair for pair, short in zip(whole, within_length(whole, tokenizers, tokens.longest), strict=True) if short]
    if not train:
        limit = "" if tokens.longest is None else f", and at most {tokens.longest} tokens"
        raise CorpusError(f"{title}: no training pair has text on both sides{limit}")
    dropped = {"empty": len(texts["train"]) - len(whole), "long": len(whole) - len(train)}
    texts = {**texts, "train": train}
    splits = {split: encode_pairs(some, tokenizers) for split, some in texts.items()}
    files = {f"{split}.source.txt": "".join(f"{line}\n" for line, _ in some) for split, some in texts.items()}
    files |= {f"{split}.target.txt": "".join(f"{line}\n" for _, line in some) for split, some in texts.items()}
    files |= {"tokenizer.json": tokenizers[0].to_str(pretty=True), "target_tokenizer.json": tokenizers[1].to_str(pretty=True)}
    write_processed(processed, splits, card_fields(title, source, tokens, tokenizers, dropped), files)


def learn_both(texts: Texts, tokens: Tokens) -> "tuple[Tokenizer, Tokenizer]":
    """The tokenizers of source and target; the same one where they are joint."""

    def learn(lines: Sequence[str]) -> "Tokenizer":
        size, least = tokens.vocabulary_size, tokens.min_frequency
        return learn_sentence_tokenizer(lines, tokens.level, size, min_frequency=least, lowercase=tokens.lowercase)

    if tokens.joint:
        joint = learn([line for pair in texts for line in pair])
        return joint, joint
    return learn([source for source, _ in texts]), learn([target for _, target in texts])


def within_length(texts: Texts, tokenizers: "tuple[Tokenizer, Tokenizer]", longest: int | None) -> NDArray[np.bool_]:
    """A mask (R,) of the rows with at most ``longest`` tokens on each side, the end not counted."""
    if longest is None:
        return np.ones(len(texts), dtype=np.bool_)
    sides = [encode_rows(tokenizer, [pair[side] for pair in texts]) for side, tokenizer in enumerate(tokenizers)]
    return np.maximum(*(np.diff(offsets) for _, offsets in sides)) - 1 <= longest


def encode_pairs(texts: Texts, tokenizers: "tuple[Tokenizer, Tokenizer]") -> Pairs:
    """The arrays of source and target of the rows."""
    inputs, input_offsets = encode_rows(tokenizers[0], [source for source, _ in texts])
    targets, target_offsets = encode_rows(tokenizers[1], [target for _, target in texts])
    return Pairs(inputs, input_offsets, targets, target_offsets)


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
