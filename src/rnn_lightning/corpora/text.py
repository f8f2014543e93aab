"""Published text for language models: WikiText (Merity et al., arXiv:1609.07843), tiny Shakespeare (Karpathy 2015)."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ..files import read_text
from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, RawSplit
from .reads import Column
from .source import FromSource
from .vocabulary import END, UNKNOWN_TOKEN, check_level, encode_lines, learn_tokenizer

SHORTEST_LINE = {"word": 5, "character": 20, "bpe": 5}
"""The length in tokens from which on a line that occurs in two splits is not a coincidence."""


@dataclass(kw_only=True, eq=False)
class Text(FromSource):
    """A stream corpus: each split of a data set, its column ``text``, as one document.

    With ``end_of_line`` a row is one or more lines, each followed by ``<eos>``, blank ones too; words at that setting give
    the published tokenisation of WikiText. Without, the text is kept unchanged, with its line feeds. The vocabulary is learned
    from the training split. ``level`` and ``vocabulary_size`` are those of `learn_tokenizer`, the other fields those of
    `FromSource`.
    """

    by_passage = True

    text: str = "text"
    level: str
    end_of_line: bool
    vocabulary_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.level, self.vocabulary_size)

    def columns(self) -> list[Column]:
        return [Column("text", self.text, "text")]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        rows = {split: read_columns(raw / f"{split}.parquet", [self.text])[0] for split in SPLITS}
        lines = {split: split_lines(some, self.end_of_line) for split, some in rows.items()}
        write_text_corpus(
            processed,
            lines,
            title=f"{self.origin.title} by {self.level}",
            source=source,
            level=self.level,
            end_of_line=self.end_of_line,
            vocabulary_size=self.vocabulary_size,
        )

    def inputs(self) -> dict[str, Any]:
        return {"name": "text", "tokenizer": "tokenizer.json"}

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("text", read_columns(path, [self.text])[0])


def write_text_corpus(
    processed: Path,
    lines: Mapping[str, Sequence[str]],
    *,
    title: str,
    source: Mapping[str, Any],
    level: str,
    end_of_line: bool,
    vocabulary_size: int | None = None,
    references: Mapping[str, float] | None = None,
) -> None:
    """Learn a tokenizer from the training ``lines`` and write every split as one document, with tokenizer and card.

    Characters are counted in code points, with one for each end of line that a token stands for. Those that the training split
    lacks are `UNKNOWN_TOKEN`, which a vocabulary of characters has only then; the card counts them.

    Raises:
        CorpusError: where a split is empty.
    """
    unseen = unknown_characters(lines) if level == "character" else {}
    tokenizer = learn_tokenizer(lines["train"], level, vocabulary_size, end_of_line, unknown=any(unseen.values()))
    line_end = tokenizer.token_to_id(END) if end_of_line else tokenizer.token_to_id("\n")
    fields = CardFields(
        title=title,
        source=source,
        vocabulary_size=tokenizer.get_vocab_size(),
        references=references or {},
        characters={split: sum(map(len, some)) + end_of_line * len(some) for split, some in lines.items()},
        unknown=tokenizer.token_to_id(UNKNOWN_TOKEN),
        line_end=line_end,
        shortest_line=SHORTEST_LINE[level],
        more={"unknown_characters": unseen} if any(unseen.values()) else {},
    )
    streams = {split: encode_lines(tokenizer, some) for split, some in lines.items()}
    write_processed(processed, streams, fields, {"tokenizer.json": tokenizer.to_str(pretty=True)})


def read_columns(path: Path, names: Sequence[str]) -> list[list[str]]:
    """Columns of text of a Parquet file; ``translation.en`` is the field ``en`` of a column of structs.

    Raises:
        CorpusError: where the file is missing or damaged, has no such column, or no text in it.
    """
    import pyarrow

    table = read_table(path, names)
    columns = []
    for name in names:
        kind = table.schema.field(name).type
        if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
            raise CorpusError(f"{path} has no text in column {name!r}, but {kind}")
        columns.append(table[name].fill_null("").to_pylist())
        if not any(columns[-1]):
            raise CorpusError(f"{path} is empty: it has {len(columns[-1])} rows and no text in column {name!r}")
    return columns


def read_table(path: Path, names: Sequence[str]) -> Any:
    """The ``pyarrow.Table`` of a Parquet file that has the columns ``names``; fields of structs are columns.

    Raises:
        CorpusError: where the file is missing or damaged, or has no such column.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path).flatten()
    except (OSError, pyarrow.ArrowException) as error:
        raise CorpusError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    for name in names:
        if name not in table.column_names:
            raise CorpusError(f"{path} has no column {name!r}, only {table.column_names}")
    return table


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


def unknown_characters(lines: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """How often characters that the training split lacks occur in the other splits, which a line on standard error tells."""
    known = set().union(*lines["train"])
    counts = {split: Counter(chain.from_iterable(some)) for split, some in lines.items() if split != "train"}
    unseen = {split: {c: n for c, n in sorted(some.items()) if c not in known} for split, some in counts.items()}
    for split, some in unseen.items():
        if some:
            said = f"the {split} split has {sum(some.values())} characters that the train split has not"
            print(f"preprocess: {said} ({', '.join(map(repr, some))}); they are {UNKNOWN_TOKEN}", file=sys.stderr)
    return unseen


def split_lines(rows: Sequence[str], end_of_line: bool) -> list[str]:
    """The lines of the rows: without their line feeds where ``end_of_line`` replaces these by a token, else with them."""
    if end_of_line:
        return [line for row in rows for line in row.removesuffix("\n").split("\n")]
    return [line for row in rows for line in row.splitlines(keepends=True)]
