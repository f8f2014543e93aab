"""Tagged corpora in local files of columns, the format of the CoNLL shared tasks and of CoNLL-U."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import sha256, whole_folder, write_json
from .conll import ColumnFile
from .corpus import SPLITS, CorpusError, RawSplit
from .files import SOURCE, verified_source
from .sentences import Sentence, sentence_of
from .tagged import write_tagging
from .tagging import TaggedCorpus

SEPARATORS = ("blank", "tab")
"""The separators of columns: any number of spaces and tabs, or one tab each."""


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
        sentences = {split: TaggedLines(self, raw / f"{split}.conll", path) for split, path in self.paths.items()}
        title = f"{', '.join(source['names'].values())}, column {self.tag}"
        write_tagging(processed, sentences, title=title, source=source, reading=self.reading, workers=self.workers)

    def test_split(self, raw: Path) -> RawSplit:
        verified_source(raw, self.spec())
        return RawSplit("tagged", TaggedLines(self, raw / "test.conll", self.paths["test"]), self.reading)

    def read(self, path: Path, origin: Path | None = None) -> Iterator[Sentence]:
        """The sentences of a file; between two blank lines in a row there is an empty one.

        ``origin`` is the file that it is a copy of, which errors name too.

        Raises:
            CorpusError: for a line that has not as many columns as the first, or is not UTF-8; names file and line.
        """
        for sentence in ColumnFile(self.separator, self.numbered).sentences(path, max(self.word, self.tag), origin):
            yield sentence_of([(cells[self.word - 1], cells[self.tag - 1], place) for cells, place in sentence.lines])


@dataclass(frozen=True)
class TaggedLines:
    """The sentences of a file, which is a copy of ``origin``, as often as they are gone through."""

    corpus: TaggedFiles
    path: Path
    origin: Path

    def __iter__(self) -> Iterator[Sentence]:
        return self.corpus.read(self.path, self.origin)
