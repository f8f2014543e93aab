"""Tagged corpora in local files of columns, the format of the CoNLL shared tasks and of CoNLL-U."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import sha256, whole_folder, write_json
from .corpus import SPLITS, CorpusError
from .files import SOURCE, verified_source
from .tagging import Sentence, TaggedCorpus, sentence_of, write_tagging

SEPARATORS = {"blank": None, "tab": "\t"}
"""The separators of columns: any white space, or one tab each."""


@dataclass(kw_only=True, eq=False)
class TaggedFiles(TaggedCorpus):
    """A tagged corpus: a word a line, a blank line after each sentence, word and tag in two of the columns.

    ``files`` names a file for each split. ``word`` and ``tag`` are the columns, counted from 1 (in CoNLL-U 2 and 4).
    Columns are separated by blanks or, with ``separator="tab"``, by tabs. Every line has as many as the first. Lines that
    begin with ``# `` are comments before a sentence; within one, ``#`` is a word. With ``numbered`` the first column counts
    words as in CoNLL-U, and multi-word tokens (``3-4``) and empty nodes (``8.1``) are left out. ``licence`` is for the card,
    the other fields are those of `Reading`.
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
        sentences = {split: list(self.read(raw / f"{split}.conll")) for split in SPLITS}
        title = f"{', '.join(source['names'].values())}, column {self.tag}"
        write_tagging(processed, sentences, title=title, source=source, reading=self.reading)

    def read(self, path: Path) -> Iterator[Sentence]:
        """The sentences of a file; between two blank lines in a row there is an empty one.

        Raises:
            CorpusError: for a line that has not as many columns as the first, or is not UTF-8; names file and line.
        """
        words: list[tuple[str, str, str]] = []
        columns, inside = 0, False
        for place, line in lines_of(path):
            if not line.strip():
                yield sentence_of(words)
                words, inside = [], False
            elif inside or not line.startswith("# "):
                cells, inside = line.split(SEPARATORS[self.separator]), True
                columns = columns or self.check_columns(len(cells), place)
                if len(cells) != columns:
                    raise CorpusError(f"{place} has {len(cells)} columns, not {columns} as the first line")
                if cells[0].isdigit() or not self.numbered:
                    words.append((cells[self.word - 1], cells[self.tag - 1], place))
        if words:
            yield sentence_of(words)

    def check_columns(self, columns: int, place: str) -> int:
        """Check that word and tag are among the ``columns``, and return their number."""
        if columns < max(self.word, self.tag):
            raise CorpusError(f"{place} has {columns} columns, and so no column {max(self.word, self.tag)}")
        return columns


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """The place (file and number) and the text of each line."""
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n")
    for number, line in enumerate(text.split(b"\n"), start=1):
        try:
            yield f"{path}:{number}", line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path}:{number} is not UTF-8 at byte {error.start + 1}") from None
