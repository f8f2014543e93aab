"""Sounds and pictures of a data set: files in folders, or named in a column, as bytes in its rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .corpus import CorpusError
from .reads import PLACE
from .tables import csv_rows, json_rows, separator_of

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif", ".au")


def files_in(folders: Sequence[Path], column: str) -> dict[str, list[str]]:
    """The sounds or pictures in folders and those below them, as the ``column`` and as `PLACE`, and as ``label`` their folders.

    Raises:
        CorpusError: where there is none.
    """
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in (*PICTURES, *SOUNDS)]
    if not found:
        raise CorpusError(f"{', '.join(map(str, folders))} has no sound or picture: none of {', '.join((*PICTURES, *SOUNDS))}")
    names = [str(path) for path in found]
    return {column: names, "label": [path.parent.name for path in found], PLACE: names}


def with_bytes(part: Any, column: str, folder: Path) -> Any:
    """A split whose ``column`` has the bytes of the files: where it has their names, these are looked up in ``folder``."""
    from datasets import Audio, Features, Image, Value

    feature = part.features.get(column)
    if isinstance(feature, Audio | Image):
        part = part.cast_column(column, type(feature)(decode=False))
    elif getattr(feature, "dtype", None) != "string":
        return part

    def read(row: dict[str, Any]) -> dict[str, Any]:
        given = row[column]
        if not given or (not isinstance(given, str) and given["bytes"] is not None):
            return {column: given or None}
        name = given if isinstance(given, str) else given["path"]
        return {column: {"bytes": (folder / name).read_bytes(), "path": Path(name).name}}

    features = Features({**part.features, column: {"bytes": Value("binary"), "path": Value("string")}})
    return part.map(read, features=features, writer_batch_size=100)


def check_named_files(tables: Sequence[Path], column: str, separator: str | None = None) -> None:
    """Check that the files exist that a ``column`` of tables, of CSV or lines of JSON, names beside the table.

    Raises:
        CorpusError: naming the table, the line and the missing file.
    """
    for table in tables:
        for line, name in named_files(table, column, separator):
            if name and not (table.parent / name).is_file():
                raise CorpusError(f"{table}:{line} names {name}, which is missing in {table.parent}")


def named_files(table: Path, column: str, separator: str | None) -> Iterator[tuple[int, str | None]]:
    """The lines of a table, by number, and the file that each names in the ``column``, if it has that."""
    if table.suffix.lower() in (".csv", ".tsv"):
        rows = csv_rows(table, separator or separator_of(table))
        _, heading = next(rows, (0, []))
        yield from ((line, dict(zip(heading, row, strict=False)).get(column)) for line, row in rows)
    elif table.suffix.lower() == ".jsonl":
        yield from ((line, row.get(column)) for line, row in json_rows(table))
