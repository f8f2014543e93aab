"""Tagged corpora in local files of columns, the format of the CoNLL shared tasks and of CoNLL-U."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import read_lines, sha256, whole_folder, write_json
from .corpus import SPLITS, CorpusError, RawSplit
from .files import SOURCE, verified_source
from .sentences import Sentence, sentence_of
from .tagging import TaggedCorpus, write_tagging

SEPARATORS = ("blank", "tab")
"""The separators of columns: any number of spaces and tabs, or one tab each."""
DOCUMENT = "-DOCSTART-"
"""The first column of a line that begins a document."""


@dataclass(kw_only=True, eq=False)
class TaggedFiles(TaggedCorpus):
    """A tagged corpus: a word a line, a blank line after each sentence, word and tag in two of the columns.

    ``files`` names a file for each split. ``word`` and ``tag`` are the columns, counted from 1 (in CoNLL-U 2 and 4).
    Columns are separated by blanks or, with ``separator="tab"``, by tabs. Every line has as many as the first. A line that
    begins with ``-DOCSTART-`` begins a document, and is no sentence. With ``numbered`` the first column counts words as in
    CoNLL-U: multi-word tokens (``3-4``) and empty nodes (``8.1``) are left out, and lines that begin with ``#`` are comments.
    In other files only a line before a sentence is one, which reads ``# key = value``, or begins with ``# `` and has another
    number of columns; else ``#`` is a word. ``licence`` is for the card, the other fields are those of
    `Reading`.
    """

    files: Mapping[str, str | Path]
    word: int
    tag: int
    separator: str = "blank"
    numbered: bool = False
    licence: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if set(self.files) != set(SPLITS):
            raise ValueError(f"files must name one for each of {list(SPLITS)}, not {sorted(self.files)}")
        if min(self.word, self.tag) < 1 or self.word == self.tag:
            raise ValueError(f"word and tag must be two columns, counted from 1, not {self.word} and {self.tag}")
        if self.separator not in SEPARATORS:
            raise ValueError(f"separator must be one of {sorted(SEPARATORS)}, not {self.separator!r}")
        self.paths = {split: Path(self.files[split]) for split in SPLITS}

    def fetch(self, raw: Path) -> None:
        for path in self.paths.values():
            if not path.is_file():
                raise CorpusError(f"{path} is missing; files must name local files")
        with whole_folder(raw, sums=True) as folder:
            for split, path in self.paths.items():
                shutil.copyfile(path, folder / f"{split}.conll")
            files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
            write_json(folder / SOURCE, {**self.spec(), "licence": self.licence, "files": files})

    def spec(self) -> dict[str, Any]:
        """The specification: the names of the files, which ``fetch`` writes into ``source.json``."""
        return {"names": {split: path.name for split, path in self.paths.items()}}

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.spec())
        for split, path in self.paths.items():
            if path.is_file() and sha256(path) != source["files"][f"{split}.conll"]:
                raise CorpusError(f"{path} is not the file that was fetched to {raw}; fetch the corpus again")
        sentences = {split: list(self.read(raw / f"{split}.conll", path)) for split, path in self.paths.items()}
        title = f"{', '.join(source['names'].values())}, column {self.tag}"
        write_tagging(processed, sentences, title=title, source=source, reading=self.reading)

    def test_split(self, raw: Path) -> RawSplit:
        verified_source(raw, self.spec())
        return RawSplit("tagged", list(self.read(raw / "test.conll", self.paths["test"])), self.reading)

    def read(self, path: Path, origin: Path | None = None) -> Iterator[Sentence]:
        """The sentences of a file; between two blank lines in a row there is an empty one.

        ``origin`` is the file that it is a copy of, which errors name too.

        Raises:
            CorpusError: for a line that has not as many columns as the first, or is not UTF-8; names file and line.
        """
        copy = "" if origin is None else f" (copied to {path})"
        try:
            lines = list(enumerate(read_lines(path), start=1))
        except ValueError as error:
            raise CorpusError(str(error).replace(f"{path}", f"{origin or path}", 1) + copy) from None
        columns = self.columns_of([line for _, line in lines], origin or path, copy)
        words: list[tuple[str, str, str]] = []
        ended = False
        for number, line in lines:
            border = is_border(line)
            if border or not line.strip():
                if words or not (border or ended):
                    yield sentence_of(words)
                words, ended = [], border
            elif not self.is_comment(line, columns, inside=bool(words)):
                place, cells, ended = f"{origin or path}:{number}{copy}", self.cells_of(line), False
                if len(cells) != columns:
                    raise CorpusError(f"{place} has {len(cells)} columns, not {columns} as the first line")
                if cells[0].isdecimal() or not self.numbered:
                    words.append((cells[self.word - 1], cells[self.tag - 1], place))
        if words:
            yield sentence_of(words)

    def cells_of(self, line: str) -> list[str]:
        """The columns of a line; blanks are spaces and tabs, other white space is part of a word."""
        return line.split("\t") if self.separator == "tab" else re.split("[ \t]+", line.strip(" \t"))

    def is_comment(self, line: str, columns: int | None, *, inside: bool) -> bool:
        """Whether a line, ``inside`` a sentence or before one, is a comment in a file of so many ``columns``."""
        if self.numbered:
            return line.startswith("#")
        return not inside and line.startswith("# ") and (line.split()[2:3] == ["="] or len(self.cells_of(line)) != columns)

    def columns_of(self, lines: Sequence[str], path: Path, copy: str = "") -> int | None:
        """The number of columns of the first line of a word, rather of one that does not begin with ``#``.

        Raises:
            CorpusError: where word and tag are not among them; names the line.
        """
        least = max(self.word, self.tag)
        counts = {n: len(self.cells_of(line)) for n, line in enumerate(lines) if line.strip() and not is_border(line)}
        plain = [n for n in counts if not lines[n].startswith("#")]
        first = next(iter(plain or (n for n in counts if not lines[n].startswith("# ") or counts[n] >= least)), None)
        if first is None:
            return None
        if counts[first] < least:
            raise CorpusError(f"{path}:{first + 1}{copy} has {counts[first]} columns, and so no column {least}")
        return counts[first]


def is_border(line: str) -> bool:
    """Whether the line begins a document."""
    return line.split()[:1] == [DOCUMENT]
