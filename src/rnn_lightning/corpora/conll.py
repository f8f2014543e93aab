"""Files of columns, a word a line and a blank line after each sentence: those of the CoNLL shared tasks and CoNLL-U."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..files import read_lines
from .corpus import CorpusError
from .reads import PLACE

MOST_COLUMNS = 100
BORDER = "-DOCSTART-"
"""The first column of a line that begins a document."""


class Lines(NamedTuple):
    """The ``lines`` of a sentence, each the cells of a word and its place, and the number of its ``document``."""

    lines: list[tuple[list[str], str]]
    document: int


@dataclass(frozen=True)
class ColumnFile:
    """How a file of columns is read; the fields are those of `TaggedFiles`."""

    separator: str = "blank"
    numbered: bool = False

    def sentences(self, path: Path, least: int, origin: Path | None = None) -> Iterator[Lines]:
        """The sentences of a file of at least so many columns; between two blank lines in a row there is an empty one.

        ``origin`` is the file that it is a copy of, which errors name too. A document begins at ``-DOCSTART-`` and, in CoNLL-U,
        at ``# newdoc``.

        Raises:
            CorpusError: for a line that has not as many columns as the first, or is not UTF-8; names file and line.
        """
        copy = "" if origin is None else f" (copied to {path})"
        columns = self.columns_of(_lines(path, origin, copy), least, origin or path, copy)
        words: list[tuple[list[str], str]] = []
        ended, document = False, 0
        for number, line in _lines(path, origin, copy):
            border = is_border(line)
            document += border or (self.numbered and line.startswith("# newdoc"))
            if border or not line.strip():
                if words or not (border or ended):
                    yield Lines(words, document - border)
                words, ended = [], border
            elif not self.is_comment(line, columns, inside=bool(words)):
                place, cells, ended = f"{origin or path}:{number}{copy}", self.cells_of(line), False
                if len(cells) != columns:
                    raise CorpusError(f"{place} has {len(cells)} columns, not {columns} as the first line")
                if cells[0].isdecimal() or not self.numbered:
                    words.append((cells, place))
        if words:
            yield Lines(words, document)

    def cells_of(self, line: str) -> list[str]:
        """The columns of a line; blanks are spaces and tabs, other white space is part of a word."""
        return line.split("\t") if self.separator == "tab" else re.split("[ \t]+", line.strip(" \t"))

    def is_comment(self, line: str, columns: int | None, *, inside: bool) -> bool:
        """Whether a line, ``inside`` a sentence or before one, is a comment in a file of so many ``columns``."""
        if self.numbered:
            return line.startswith("#")
        return not inside and line.startswith("# ") and (line.split()[2:3] == ["="] or len(self.cells_of(line)) != columns)

    def columns_of(self, lines: Iterable[tuple[int, str]], least: int, path: Path, copy: str = "") -> int | None:
        """The number of columns of the first line of a word, rather of one that does not begin with ``#``.

        Raises:
            CorpusError: where it has not the ``least`` that there must be; names the line.
        """
        first = None
        for number, line in lines:
            count = len(self.cells_of(line))
            if not line.strip() or is_border(line):
                continue
            if not line.startswith("#"):
                first = number, count
                break
            if first is None and (not line.startswith("# ") or count >= least):
                first = number, count
        if first is None:
            return None
        number, count = first
        if count < least:
            raise CorpusError(f"{path}:{number}{copy} has {count} columns, and so no column {least}")
        return count


def _lines(path: Path, origin: Path | None, copy: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers.

    Raises:
        CorpusError: where it is not UTF-8; names its ``origin``.
    """
    try:
        yield from enumerate(read_lines(path), start=1)
    except ValueError as error:
        raise CorpusError(str(error).replace(f"{path}", f"{origin or path}", 1) + copy) from None


CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U; those of other files are numbered from 1."""
DOCUMENT = "document"
OWN = (DOCUMENT, PLACE)
"""The columns that a sentence has besides those of its words: the number of its document, and its file and line."""


def column_rows(paths: Sequence[Path], separator: str | None, columns: Sequence[str]) -> dict[str, list[Any]]:
    """The sentences of files of columns as a table: for each of the ``columns`` a list a row, and `OWN`.

    In files ``*.conllu`` columns have the names `CONLLU`, in others the numbers 1, 2, ...

    Raises:
        CorpusError: for a column that there cannot be, or as ``ColumnFile.sentences``.
    """
    table: dict[str, list[Any]] = {name: [] for name in (*columns, *OWN)}
    before = 0
    for path in paths:
        standard = path.suffix.lower() == ".conllu"
        names = CONLLU if standard else tuple(map(str, range(1, MOST_COLUMNS + 1)))
        if unknown := [column for column in columns if column not in names]:
            wanted = ", ".join(CONLLU) if standard else "numbers, from 1"
            raise CorpusError(f"{path} has no column {unknown[0]!r}; columns are {wanted}")
        places = [names.index(column) for column in columns]
        file = ColumnFile("tab" if standard or separator == "\t" else "blank", standard)
        document = 0
        for sentence in file.sentences(path, max(places) + 1):
            document = sentence.document
            for name, place in zip(columns, places, strict=True):
                table[name].append([cells[place] for cells, _ in sentence.lines])
            table[DOCUMENT].append(before + document)
            table[PLACE].append(sentence.lines[0][1] if sentence.lines else f"{path}")
        before += document + 1
    return table


def is_border(line: str) -> bool:
    """Whether the line begins a document."""
    return line.split()[:1] == [BORDER]
