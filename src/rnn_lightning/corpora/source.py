"""A corpus of a published or local data set: fetched from the Hub or from files, and divided into three splits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

from .class_names import Classes, find_classes
from .corpus import SPLITS, Corpus, CorpusError, RawSplit
from .dividing import (
    WAYS,
    HeldOut,
    Loaded,
    check_all_used,
    check_rows,
    check_split_names,
    check_splits,
    held_out_splits,
    named_splits,
)
from .files import verified_source
from .hub import HubSource, write_fetched
from .local import LocalSource
from .parquet import Tables
from .reads import PLACE, Column, named
from .retries import log
from .streaming import Streaming


@dataclass(kw_only=True, eq=False)
class FromSource(Corpus):
    """A corpus of a data set on the Hub, by the fields of `HubSource`, or in local ``files``, by those of `LocalSource`.

    ``splits`` says what the data set calls the splits, ``{validation: dev}``, or which rows of which split they are,
    ``{train: "train[:90%]", validation: "train[90%:]"}``; without it ``files`` are those of train, validation and test, with it
    each must be of a split. ``held_out`` (the keywords of `HeldOut`) draws a validation split, and a test split if wanted, from
    the training split, where the data set has none. ``streaming`` (the keywords of `Streaming`) reads a part of a data set on
    the Hub that is larger than the disk. ``rows`` are the numbers of rows that
    splits must have before that. ``classes`` are the names of classes that are numbers from 0.
    """

    by_passage: ClassVar[bool] = False
    """Whether rows are running text, so that what is held out is a passage."""
    ways: ClassVar[Mapping[str, str]] = WAYS
    """The settings that make a split which is not there, as an error advises them."""

    repository: str | None = None
    config: str | None = None
    revision: str | None = None
    record: str | Path | None = None
    files: Mapping[str, Any] | Sequence[str] | str | None = None
    format: str | None = None
    separator: str | None = None
    licence: str | None = None
    rows: Mapping[str, int] | None = None
    splits: Mapping[str, str] | None = None
    held_out: Mapping[str, Any] | None = None
    streaming: Mapping[str, Any] | None = None
    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if unknown := sorted({*map(str, self.splits or ())} - {*SPLITS}):
            raise ValueError(f"splits may have {', '.join(SPLITS)}, and no {unknown[0]!r}")
        self.drawn = None if self.held_out is None else HeldOut.of(self.held_out)
        self.origin = self._local() if self.repository is None else self._hub(self.repository)

    def _local(self) -> LocalSource:
        if self.files is None:
            raise ValueError("either repository (a data set on the Hub) or files, such as {train: train.csv}, must be given")
        if self.streaming is not None:
            raise ValueError("streaming is for a data set on the Hub, and these are files: leave it out")
        origin = LocalSource(self.files, self.format, self.separator, self.licence, self.columns())
        if self.splits is None:
            check_split_names(origin.by_split())
        return origin

    def _hub(self, repository: str) -> HubSource:
        if self.files is not None:
            raise ValueError(f"either repository or files must be given, not both {repository!r} and {self.files!r}")
        if self.config is None or self.revision is None or self.record is None:
            raise ValueError(f"repository {repository!r} needs config, revision and record too")
        streaming = None if self.streaming is None else Streaming.of(self.streaming)
        return HubSource(repository, self.config, self.revision, Path(self.record), self.rows, self.splits, streaming)

    @property
    def needed(self) -> Sequence[str]:
        """The splits that preprocessing reads."""
        return SPLITS

    def columns(self) -> list[Column]:
        """The columns that are read."""
        return []

    def classes_of(self, path: Path) -> Classes:
        """The classes of a Parquet file; ``classes`` may name them."""
        tables = Tables(path, named(self.columns(), "class"))
        return self._classes_in(tables, tables.schema, path)

    def _classes_in(self, tables: Iterable[Any], schema: Any, path: Path) -> Classes:
        (column,) = named(self.columns(), "class")
        return find_classes(tables, schema, column, path, self.classes)

    def spec(self) -> dict[str, Any]:
        """The specification of what ``fetch`` leaves, which ``source.json`` holds."""
        splits = None if self.splits is None else dict(self.splits)
        return {**self.origin.spec(), "splits": splits, "held_out": None if self.drawn is None else asdict(self.drawn)}

    def fetch(self, raw: Path) -> None:
        with self.origin.loaded(raw) as loaded:
            splits = self.divided(loaded.splits)
            record = None if self.repository is None or self.record is None else Path(self.record)
            write_fetched(raw, Loaded(splits, loaded.facts), self.spec(), record=record)
        log(f"{self.origin}: {sum(map(len, splits.values()))} rows in {raw}")

    def divided(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        """The splits of a data set that was loaded (``datasets.Dataset`` by name).

        Raises:
            CorpusError: where one is missing or empty, or has no such columns; names the setting.
        """
        splits = dict(parts)
        if self.splits is not None and self.repository is None:
            check_all_used(self.splits, [*parts])
            splits = named_splits(parts, self.splits)
        check_rows(splits, self.rows, f"{self.origin}")
        for name in splits.keys() & {*self.needed}:
            self.check_part(name, splits[name])
        if self.drawn is not None and "train" in splits:
            splits = held_out_splits(splits, self._draw(self.drawn, splits["train"]))
        if list(splits) != ["test"]:  # alone it is there to measure models of other corpora on
            check_splits(splits, self.needed, f"{self.origin}", self.ways)
        return splits

    def _draw(self, held_out: HeldOut, train: Any) -> dict[str, Any]:
        """The numbers of the training rows that each split gets."""
        by, there = held_out.by, [name for name in train.column_names if name != PLACE]
        if by is not None and by not in there:
            raise CorpusError(f"{self.origin} has no column {by!r}; held_out.by must be one of {', '.join(there)}")
        for unit in named(self.columns(), "unit"):
            if by is None and unit in there and len(set(train[unit])) > 1:
                by = unit
        if by is not None:
            return held_out.draw_together(train[by])
        if self.by_passage:
            return held_out.draw_passages(len(train))
        classes = named(self.columns(), "class")
        if not classes:
            return held_out.draw(len(train))
        table = train.select_columns([*classes, *({PLACE} & {*train.column_names})]).with_format("arrow")[:]
        found = self._classes_in([table], table.schema, Path(f"{self.origin}"))
        return held_out.draw(len(train), [found.name(value) for value in table[classes[0]].to_pylist()])

    def check_part(self, split: str, part: Any) -> None:
        """Check that a split has the columns that settings name, fields of structs by ``column.field``.

        Raises:
            CorpusError: naming the setting and the columns that there are.
        """
        there = {*part.column_names, *part.features.arrow_schema.empty_table().flatten().column_names} - {PLACE}
        for key, name, *_ in self.columns():
            if key is not None and not any(fnmatchcase(column, name) for column in there):
                known = ", ".join(name for name in part.column_names if name != PLACE)
                raise CorpusError(f"{self.origin}: the {split} split has no column {name!r}; {key} must be of {known}")

    def test_split(self, raw: Path) -> RawSplit:
        self._unchanged(raw)
        return self.raw_split(raw / "test.parquet")

    def raw_split(self, path: Path) -> RawSplit:
        """The rows of a Parquet file."""
        return super().test_split(path)

    def verified(self, raw: Path) -> dict[str, Any]:
        """The content of ``source.json`` in ``raw``, checked as `verified_source` does, and against local files.

        Raises:
            CorpusError: where another corpus was fetched, files have changed, or a split is not there.
        """
        source = self._unchanged(raw)
        check_splits({Path(name).stem: name for name in source["files"]}, self.needed, f"{self.origin}", self.ways)
        return source

    def _unchanged(self, raw: Path) -> dict[str, Any]:
        source = verified_source(raw, self.spec())
        self.origin.check_unchanged(source, raw)
        return source
