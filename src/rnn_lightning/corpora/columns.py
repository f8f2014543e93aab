"""Tagged sentences in local text files of columns, as the shared tasks of CoNLL hand them out."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import sha256, whole_folder, write_json
from .corpus import SPLITS, Corpus, CorpusError
from .files import SOURCE, verified_source
from .tagging import Reading, Sentence, write_tagging

SEPARATORS = {"blank": None, "tab": "\t"}
"""What stands between columns: any white space, or one tab each."""


class TaggedFiles(Corpus):
    """A pairs corpus: a word a line, a blank line after each sentence, word and tag in two of the columns.

    ``files`` names a file for each split. ``word`` and ``tag`` are the columns, counted from 1 (in CoNLL-U 2 and 4).
    Columns stand between blanks or, with ``separator="tab"``, between tabs. Every line has as many as the first. Lines that
    begin with ``# `` are comments where they stand before a sentence; within one, ``#`` is a word. With ``numbered`` the
    first column counts words as in CoNLL-U, and what is no word there (``3-4``, ``8.1``) is left out. ``licence`` is for
    the card, the rest are those of `Reading`.
    """

    def __init__(
        self,
        *,
        files: Mapping[str, str | Path],
        word: int,
        tag: int,
        separator: str = "blank",
        numbered: bool = False,
        licence: str | None = None,
        **reading: Any,
    ) -> None:
        if set(files) != set(SPLITS):
            raise ValueError(f"files must name one for each of {list(SPLITS)}, not {sorted(files)}")
        if min(word, tag) < 1 or word == tag:
            raise ValueError(f"word and tag must be two columns, counted from 1, not {word} and {tag}")
        if separator not in SEPARATORS:
            raise ValueError(f"separator must be one of {sorted(SEPARATORS)}, not {separator!r}")
        self.reading = Reading(**reading)
        self.files = {split: Path(files[split]) for split in SPLITS}
        self.word, self.tag, self.separator, self.numbered, self.licence = word, tag, separator, numbered, licence

    def fetch(self, raw: Path) -> None:
        for path in self.files.values():
            if not path.is_file():
                raise CorpusError(f"{path} is missing; files must name local files")
        with whole_folder(raw) as folder:
            for split, path in self.files.items():
                shutil.copyfile(path, folder / f"{split}.conll")
            files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
            write_json(folder / SOURCE, {**self.asked(), "licence": self.licence, "files": files})

    def asked(self) -> dict[str, Any]:
        """What ``fetch`` notes of the files besides their bytes."""
        return {"names": {split: path.name for split, path in self.files.items()}}

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.asked())
        for split, path in self.files.items():
            if path.is_file() and sha256(path) != source["files"][f"{split}.conll"]:
                raise CorpusError(f"{path} is not the file that was fetched to {raw}; fetch the corpus again")
        sentences = {split: list(self.read(raw / f"{split}.conll")) for split in SPLITS}
        title = f"{', '.join(source['names'].values())}, column {self.tag}"
        write_tagging(processed, sentences, title=title, source=source, reading=self.reading)

    def read(self, path: Path) -> Iterator[Sentence]:
        """The sentences of a file; two blank lines in a row have an empty one between them.

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
                columns = columns or self.checked(len(cells), place)
                if len(cells) != columns:
                    raise CorpusError(f"{place} has {len(cells)} columns, not {columns} as the first line")
                if cells[0].isdigit() or not self.numbered:
                    words.append((cells[self.word - 1], cells[self.tag - 1], place))
        if words:
            yield sentence_of(words)

    def checked(self, columns: int, place: str) -> int:
        """The number of columns, which must hold word and tag."""
        if columns < max(self.word, self.tag):
            raise CorpusError(f"{place} has {columns} columns, and so no column {max(self.word, self.tag)}")
        return columns


def sentence_of(words: list[tuple[str, str, str]]) -> Sentence:
    """The sentence of words, tags and places."""
    return Sentence(*([each[part] for each in words] for part in range(3)))


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Each line's place and text, without its end."""
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n")
    for number, line in enumerate(text.split(b"\n"), start=1):
        try:
            yield f"{path}:{number}", line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path}:{number} is not UTF-8 at byte {error.start + 1}") from None
