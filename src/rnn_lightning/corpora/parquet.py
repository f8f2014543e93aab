"""Parquet files: as a table, or some rows at a time."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from .corpus import CorpusError
from .reads import PLACE

ROWS = 4096
"""The rows that are read at once."""
FEW = 64
"""The rows that are read at once where each may be a sound or a picture."""


class Tables:
    """A Parquet file as tables (``pyarrow.Table``) of at most ``rows`` rows, as often as it is iterated.

    They have the columns ``names``, and `PLACE` where it is there; fields of structs are columns: ``translation.en`` is the
    field ``en`` of the column ``translation``.
    """

    def __init__(self, path: Path, names: Sequence[str], rows: int | None = None) -> None:
        """Open the file, and read none of its rows.

        Raises:
            CorpusError: where the file is missing or damaged, or has no such column.
        """
        self.path, self.names, self.rows = path, [*names, PLACE], rows
        with _errors_told(path), self._open() as file:
            self.schema = file.schema_arrow.empty_table().flatten().schema
        _check_columns(path, names, self.schema.names)

    def _open(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetFile(self.path)

    def __iter__(self) -> Iterator[Any]:
        import pyarrow

        with _errors_told(self.path), self._open() as file:
            wanted = [name for name in file.schema_arrow.names if any(f"{one}.".startswith(f"{name}.") for one in self.names)]
            groups = range(file.num_row_groups)  # one by one, because a reader of several keeps what it has read
            some = self.rows or ROWS
            for batch in chain.from_iterable(file.iter_batches(some, [group], columns=wanted) for group in groups):
                yield pyarrow.Table.from_batches([batch]).flatten()

    def lists(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The rows of the columns ``names``, as plain values."""
        for table in self:
            yield from zip(*(table[name].to_pylist() for name in names), strict=True)

    def placed(self, *names: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """The rows as `lists` has them, each behind the place that errors name."""
        row = 0
        for table in self:
            yield from zip(
                places_in(table, self.path, row), zip(*(table[name].to_pylist() for name in names), strict=True), strict=True
            )
            row += len(table)


def places_in(table: Any, source: Path | str, first: int = 0) -> Sequence[str]:
    """The place of each row of a ``pyarrow.Table``: `PLACE`, or else its number in the ``source``, from ``first`` on."""
    if PLACE in table.column_names:
        return table[PLACE].to_pylist()
    return [f"row {row} of {source}" for row in range(first, first + len(table))]


class TextColumns:
    """The columns ``names`` of text of a Parquet file, row by row, as often as iterated; what is missing is empty text."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        """Open the file, and read none of its rows.

        Raises:
            CorpusError: as `Tables`, and where a column holds no text.
        """
        import pyarrow

        self.tables, self.path, self.names = Tables(path, names), path, names
        for name in names:
            kind = self.tables.schema.field(name).type
            if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
                raise CorpusError(f"{path} has no text in column {name!r}, but {kind}")

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """The rows.

        Raises:
            CorpusError: at the end, where a column had no text at all.
        """
        rows, filled = 0, [False] * len(self.names)
        for table in self.tables:
            columns = [table[name].fill_null("").to_pylist() for name in self.names]
            filled = [some or any(column) for some, column in zip(filled, columns, strict=True)]
            rows += len(table)
            yield from zip(*columns, strict=True)
        for name, some in zip(self.names, filled, strict=True):
            if not some:
                raise CorpusError(f"{self.path} is empty: it has {rows} rows and no text in column {name!r}")


def read_columns(path: Path, names: Sequence[str]) -> list[list[str]]:
    """The `TextColumns` of a file, each as a whole."""
    return [list(column) for column in zip(*TextColumns(path, names), strict=True)]


def read_table(path: Path, names: Sequence[str]) -> Any:
    """The ``pyarrow.Table`` of a Parquet file that has the columns ``names``; fields of structs are columns.

    Raises:
        CorpusError: where the file is missing or damaged, or has no such column.
    """
    from pyarrow import parquet

    with _errors_told(path):
        table = parquet.read_table(path).flatten()
    _check_columns(path, names, table.column_names)
    return table


def _check_columns(path: Path, names: Sequence[str], there: Sequence[str]) -> None:
    for name in names:
        if name not in there:
            raise CorpusError(f"{path} has no column {name!r}, only {there}")


@contextmanager
def _errors_told(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        raise CorpusError(f"cannot read {path}: {' '.join(str(error).split())}") from error


@dataclass(frozen=True)
class Lines:
    """The lines of rows of text: without their line feeds where a token replaces these (``end_of_line``), else with them."""

    rows: Iterable[tuple[str, ...]]
    end_of_line: bool

    def __iter__(self) -> Iterator[str]:
        for (row,) in self.rows:
            yield from row.removesuffix("\n").split("\n") if self.end_of_line else row.splitlines(keepends=True)
