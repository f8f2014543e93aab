"""Published text for language models: WikiText (Merity et al., arXiv:1609.07843), tiny Shakespeare (Karpathy 2015)."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import read_text
from ..sliced import SpooledArray
from ..workers import ALONE, Workers
from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, RawSplit, Stream
from .encoding import encode
from .parquet import Lines, TextColumns, read_columns
from .reads import Column
from .source import FromSource
from .vocabulary import END, UNKNOWN_TOKEN, check_level, learn_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SHORTEST_LINE = {"word": 5, "character": 20, "bpe": 5}
"""The length in tokens from which on a line that occurs in two splits is not a coincidence."""


@dataclass(kw_only=True, eq=False)
class Text(FromSource):
    """A stream corpus: each split of a data set, its column ``text``, as one document.

    With ``end_of_line`` a row is one or more lines, each followed by ``<eos>``, blank ones too; words at that setting give
    the published tokenisation of WikiText. Without, the text is kept unchanged, with its line feeds. The vocabulary is learned
    from the training split, or is that of the file ``tokenizer``, such as the ``target_tokenizer.json`` of translations that
    the language model is to be fused with. ``level`` and ``vocabulary_size`` are those of `learn_tokenizer`, the other fields
    those of `FromSource`.
    """

    by_passage = True

    text: str = "text"
    level: str
    end_of_line: bool
    vocabulary_size: int | None = None
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tokenizer is None:
            check_level(self.level, self.vocabulary_size)
        else:
            check_given(self.tokenizer, self.level, self.vocabulary_size, self.end_of_line)

    def columns(self) -> list[Column]:
        return [Column("text", self.text, "text")]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        lines = {split: Lines(TextColumns(raw / f"{split}.parquet", [self.text]), self.end_of_line) for split in SPLITS}
        write_text_corpus(
            processed,
            lines,
            title=f"{self.origin.title} by {self.level}",
            source=source,
            level=self.level,
            end_of_line=self.end_of_line,
            vocabulary_size=self.vocabulary_size,
            tokenizer=None if self.tokenizer is None else given_tokenizer(self.tokenizer),
            workers=self.workers,
        )

    def inputs(self) -> dict[str, Any]:
        return {"name": "text", "tokenizer": "tokenizer.json"}

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("text", read_columns(path, [self.text])[0])


def write_text_corpus(
    processed: Path,
    lines: Mapping[str, Iterable[str]],
    *,
    title: str,
    source: Mapping[str, Any],
    level: str,
    end_of_line: bool,
    vocabulary_size: int | None = None,
    tokenizer: "Tokenizer | None" = None,
    references: Mapping[str, float] | None = None,
    workers: Workers = ALONE,
) -> None:
    """Write every split as one document, with the ``tokenizer``, or one learned from the training ``lines``, and the card.

    The ``lines`` are gone through more than once, and held some at a time. Characters are counted in code points, with one
    for each end of line that a token stands for. Those that the training split lacks are `UNKNOWN_TOKEN`, which a vocabulary of
    characters has only then; the card counts them.

    Raises:
        CorpusError: where a split is empty.
    """
    unseen = unknown_characters(lines) if level == "character" and tokenizer is None else {}
    if tokenizer is None:
        tokenizer = learn_tokenizer(lines["train"], level, vocabulary_size, end_of_line, unknown=any(unseen.values()))
    encoded = {split: spool_lines(tokenizer, some, processed.parent, workers) for split, some in lines.items()}
    fields = CardFields(
        title=title,
        source=source,
        vocabulary_size=tokenizer.get_vocab_size(),
        references=references or {},
        characters={split: characters + end_of_line * count for split, (_, characters, count) in encoded.items()},
        unknown=tokenizer.token_to_id(UNKNOWN_TOKEN),
        line_end=tokenizer.token_to_id(END) if end_of_line else tokenizer.token_to_id("\n"),
        shortest_line=SHORTEST_LINE[level],
        more={"unknown_characters": unseen} if any(unseen.values()) else {},
    )
    streams = {split: stream for split, (stream, _, _) in encoded.items()}
    write_processed(processed, streams, fields, {"tokenizer.json": tokenizer.to_str(pretty=True)})


def check_given(tokenizer: str, level: str, vocabulary_size: int | None, end_of_line: bool) -> None:
    """Check the settings of a corpus whose tokenizer is given.

    Raises:
        ValueError: for a level that there is not, a size, which the tokenizer decides, or lines without ends.
    """
    check_level(level, 257 if level == "bpe" else None)
    if vocabulary_size is not None:
        raise ValueError(f"vocabulary_size must be None, not {vocabulary_size}: the tokenizer {tokenizer} decides it")
    if not end_of_line:
        raise ValueError(f"end_of_line must be true: the tokenizer {tokenizer} ends each line with {END}")


def given_tokenizer(file: str) -> "Tokenizer":
    """The tokenizer in a file, which must end each line with `END`.

    Raises:
        CorpusError: where there is none, or one that ends no line.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(file)
    except Exception as error:  # the library raises no more special one
        raise CorpusError(f"corpus.tokenizer: {file} is no tokenizer: {error}") from None
    if tokenizer.encode("").ids != [tokenizer.token_to_id(END)]:
        raise CorpusError(
            f"corpus.tokenizer: {file} must end each line with {END}: take the target_tokenizer.json of translations"
        )
    return tokenizer


def spool_lines(tokenizer: "Tokenizer", lines: Iterable[str], folder: Path, workers: Workers) -> tuple[Stream, int, int]:
    """The ``lines`` as one document of which every token is scored, in a file of ``folder``; their characters, and how many
    they are."""
    tokens, scored = SpooledArray(np.int32, folder), SpooledArray(np.bool_, folder)
    characters = count = 0
    for rows, [(ids, _)] in encode(((line,) for line in lines), [tokenizer], workers):
        tokens.append(ids)
        scored.append(np.ones(len(ids), np.bool_))
        characters, count = characters + sum(len(line) for (line,) in rows), count + len(rows)
    return Stream(tokens, np.array([0, len(tokens)], np.int64), scored), characters, count


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their line feeds.

    Raises:
        CorpusError: where the file is empty, or no text.
    """
    try:
        text = read_text(path)
    except ValueError as error:
        raise CorpusError(str(error)) from None
    if not text:
        raise CorpusError(f"{path} is empty")
    return text.removesuffix("\n").split("\n")


def unknown_characters(lines: Mapping[str, Iterable[str]]) -> dict[str, dict[str, int]]:
    """How often characters that the training split lacks occur in the other splits, which a line on standard error tells."""
    known = set(chain.from_iterable(lines["train"]))
    counts = {split: Counter(chain.from_iterable(some)) for split, some in lines.items() if split != "train"}
    unseen = {split: {c: n for c, n in sorted(some.items()) if c not in known} for split, some in counts.items()}
    for split, some in unseen.items():
        if some:
            said = f"the {split} split has {sum(some.values())} characters that the train split has not"
            print(f"preprocess: {said} ({', '.join(map(repr, some))}); they are {UNKNOWN_TOKEN}", file=sys.stderr)
    return unseen


def split_lines(rows: Iterable[str], end_of_line: bool) -> list[str]:
    """The lines of the rows, as `Lines` has them."""
    return list(Lines(((row,) for row in rows), end_of_line))
