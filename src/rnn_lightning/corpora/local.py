"""Data sets in local files: text, CSV, JSON, Parquet, folders of sounds or pictures."""

import glob
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..files import sha256
from ..leftovers import unfinished_name
from .conll import column_rows
from .corpus import CorpusError
from .dividing import Loaded
from .loading import beside, load, with_places
from .media import check_named_files, files_in, with_bytes
from .reads import Column, named
from .tables import check_json, check_numbers, csv_columns, separator_of, text_lines

SUFFIXES = {".txt": "text", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}
SUFFIXES |= dict.fromkeys((".conll", ".conllu", ".bio", ".iob"), "conll")
FORMATS = (*dict.fromkeys(SUFFIXES.values()), "folder")
FILE_NAME = "file_name"
"""The column of files in the table ``metadata.csv`` of a folder."""


@dataclass(frozen=True)
class LocalSource:
    """A data set in local files, as `datasets.load_dataset` reads them.

    ``files`` names the files of each split: one, a list, or a pattern such as ``data/*.csv``; alone, without names of splits,
    they are those of ``train``. A mapping, ``{de: train.de, en: train.en}``, gives each column a file of text, a row a line.
    ``format`` is one of `FORMATS`; without it the suffix tells. A row is a line of text in the column ``text``, a line of
    CSV with a heading, of JSON, or a sound or picture in a folder: its ``label`` is the name of the folder that it is in, or
    ``metadata.csv`` there has its columns. ``separator`` is that of the columns of CSV: a comma, and a tab
    in ``.tsv``. Sounds and pictures may be given by the names of their files, beside the file that names them. ``columns`` are
    those that are read.
    """

    files: Any
    format: str | None = None
    separator: str | None = None
    licence: str | None = None
    columns: Sequence[Column] = ()

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise ValueError(f"format must be one of {list(FORMATS)}, not {self.format!r}")
        if not self.by_split():
            raise ValueError("files must name the files of a split, such as {train: train.csv}")

    def by_split(self) -> dict[str, dict[str, list[str]]]:
        """The files or patterns of each split, by the column that they are, ``""`` for files with columns of their own."""
        splits = self.files if isinstance(self.files, Mapping) else {"train": self.files}
        return {
            str(split): {str(column): listed(files) for column, files in given.items()}
            if isinstance(given, Mapping)
            else {"": listed(given)}
            for split, given in splits.items()
            if given
        }

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What titles call it: the names of its files."""
        files = [Path(name).name for given in self.by_split().values() for names in given.values() for name in names]
        return ", ".join(dict.fromkeys(files))

    def spec(self) -> dict[str, Any]:
        """The specification, which ``source.json`` holds: the names of the files."""
        names: dict[str, Any] = {}
        for split, given in self.by_split().items():
            of_columns = {column: [Path(name).name for name in files] for column, files in given.items()}
            names[split] = of_columns.get("", of_columns)
        return {"names": names, "format": self.format, "separator": self.separator}

    def check_unchanged(self, source: Mapping[str, Any], raw: Path) -> None:
        """Check that the files, where they still exist, are those that were fetched.

        Raises:
            CorpusError: naming the split whose files differ.
        """
        for split, columns in self.by_split().items():
            try:
                files = [path for names in columns.values() for path in found_files(split, names)]
            except CorpusError:
                continue
            if digest(files) != source["originals"][split]:
                names = ", ".join(map(str, files))
                raise CorpusError(f"{names} is not the file that was fetched to {raw}; fetch the corpus again")

    @contextmanager
    def loaded(self, raw: Path) -> Iterator[Loaded]:
        """The data set, read from the files; a copy lies beside ``raw`` meanwhile.

        Raises:
            CorpusError: where a file is missing, or is not what its format says; names file and line.
        """
        from datasets import disable_progress_bars

        disable_progress_bars()
        found = {
            split: {column: found_files(split, names) for column, names in columns.items()}
            for split, columns in self.by_split().items()
        }
        originals = {split: digest([path for paths in columns.values() for path in paths]) for split, columns in found.items()}
        with tempfile.TemporaryDirectory(prefix=f"{unfinished_name(raw)}.", suffix=".partial", dir=raw.parent) as cache:
            splits: dict[str, Any] = {}
            plain = {split: columns[""] for split, columns in found.items() if "" in columns}
            if plain:
                splits |= self._tables(plain, cache)
            splits |= {split: beside(columns, cache) for split, columns in found.items() if "" not in columns}
            yield Loaded({split: splits[split] for split in found}, {"licence": self.licence, "originals": originals})

    def _tables(self, files: Mapping[str, Sequence[Path]], cache: str) -> dict[str, Any]:
        """Splits of files that have columns, or are text."""
        from datasets import Dataset

        form = self.format or guessed_format([path for paths in files.values() for path in paths])
        if form == "folder":
            return self._folders(files, cache)
        if form == "conll":
            words = named(self.columns, "words")
            return {split: Dataset.from_dict(column_rows(some, self.separator, words)) for split, some in files.items()}
        paths = [path for some in files.values() for path in some]
        options = self._checked(form, paths)
        media = next(iter(named(self.columns, "media")), None)
        if media is not None:
            check_named_files(paths, media, self.separator)
        separator = self.separator or separator_of(paths[0])
        splits = {
            split: with_places(part, form, files[split], separator, cache)
            for split, part in load(form, files, cache, options).items()
        }
        if media is None:
            return splits
        folders = {split: {path.parent for path in some} for split, some in files.items()}
        if apart := [split for split, some in folders.items() if len(some) > 1]:
            raise CorpusError(f"files.{apart[0]} lie in several folders; files that name others must be in one")
        return {split: with_bytes(part, media, folders[split].pop()) for split, part in splits.items()}

    def _checked(self, form: str, paths: Sequence[Path]) -> dict[str, Any]:
        """The options by which ``datasets`` reads files of text, CSV or JSON, which are checked line by line."""
        numbers = {column.name: column.empty for column in self.columns if column.holds == "number"}
        if form == "text":
            for path in paths:
                text_lines(path)
            return {"encoding": "utf-8-sig", "keep_linebreaks": True}
        if form == "csv":
            separator = self.separator or separator_of(paths[0])
            options = csv_columns(paths, separator, named(self.columns, "text"), named(self.columns, "class"))
            check_numbers(paths, separator, numbers)
            return options
        if form == "json" and numbers:
            check_json(paths, [*numbers])
        return {}

    def _folders(self, files: Mapping[str, Sequence[Path]], cache: str) -> dict[str, Any]:
        """Splits of folders of sounds or pictures."""
        from datasets import Dataset

        media = next(iter(named(self.columns, "media")), None)
        if media is None:
            raise CorpusError(f"{self.title} is a folder, which only sounds and pictures are read from; files must name files")
        tables = {split: [table for path in paths for table in path.glob("metadata.*")] for split, paths in files.items()}
        if not any(tables.values()):
            return {split: with_bytes(Dataset.from_dict(files_in(some, media)), media, Path()) for split, some in files.items()}
        splits = replace(self, columns=[Column("files", FILE_NAME, "media")], format=None)._tables(tables, cache)
        return {split: part if media == FILE_NAME else part.rename_column(FILE_NAME, media) for split, part in splits.items()}


def listed(files: Any) -> list[str]:
    """One file or several, as a list."""
    return [str(files)] if isinstance(files, str | Path) else [str(file) for file in files]


def found_files(split: str, names: Sequence[str]) -> list[Path]:
    """The files that names and patterns mean.

    Raises:
        CorpusError: naming one that is missing.
    """
    found: list[Path] = []
    for name in names:
        paths = sorted(map(Path, glob.glob(name, recursive=True))) if glob.has_magic(name) else [Path(name)]
        if not paths or not paths[0].exists():
            raise CorpusError(f"{name} is missing; files.{split} must name local files")
        found += paths
    return found


def guessed_format(paths: Sequence[Path]) -> str:
    """The format that suffixes tell, or what is in a folder.

    Raises:
        CorpusError: naming a file of an unknown suffix.
    """
    for path in paths:
        form = "folder" if path.is_dir() else SUFFIXES.get(path.suffix.lower())
        if form is None:
            raise CorpusError(f"format of {path} is not known by its name: give format, one of {list(FORMATS)}")
        return form
    raise CorpusError("files names no file")


def digest(paths: Sequence[Path]) -> str:
    """One SHA-256 of files, and of those in folders."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()]
    return sha256(*files)
