"""Which columns the files of a person's own have, by their first lines."""

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


def names_of(files: Any) -> list[str]:
    """The names of the files of a split."""
    some = files.values() if isinstance(files, Mapping) else [files]
    return [str(name) for each in some for name in (each if isinstance(each, list) else [each])]


def columns_in(files: Any) -> dict[str, str]:
    """The columns that a split's files have, by the key that would name them: their own name, or what is usual there."""
    path = Path(names_of(files)[0])
    if isinstance(files, Mapping):
        return {**dict(zip(("source", "target"), map(str, files), strict=False)), **{str(name): str(name) for name in files}}
    if path.is_dir():
        tables = sorted(path.glob("metadata.*"))
        media = "image" if any(file.suffix.lower() in (".png", ".jpg", ".jpeg") for file in path.rglob("*")) else "audio"
        return {**(columns_in(str(tables[0])) if tables else {"label": "label"}), media: media}
    if path.suffix == ".txt":
        return {"text": "text"}
    if path.suffix == ".conllu":
        return {"words": "form", "tags": "upos"}
    if path.suffix in (".conll", ".bio", ".iob"):
        return {"words": "1", "tags": str(len(first_sentence(path)[0]))}
    return {name: name for name in heading_of(path)}


def check_columns(given: Mapping[str, Any], files: Any, there: Mapping[str, str]) -> None:
    """Check that a split's files have the columns ``given``: names, patterns (``t*``), or fields of a column (``a.b``).

    Sounds or pictures in a folder are a column of any name, and the ``label`` of ``segments`` is a field of these.

    Raises:
        ValueError: naming the key, and the columns that there are.
    """
    path = Path(names_of(files)[0])
    free = {"audio", "image"} if path.is_dir() else {"label"} if "segments" in {*given, *there} else set()
    for key, name in [(key, name) for key, names in given.items() if key not in free for name in names_of(names)]:
        if not is_among(there.values(), name) and not is_among(known := all_columns(files, there), name):
            raise ValueError(f"{key}={name}: {path} has no column {name!r}; it has {', '.join(known)}")


def is_among(columns: Iterable[str], name: str) -> bool:
    """Whether a name is one of the columns, a pattern of one or a field of one."""
    return any(fnmatchcase(column, name) or name.startswith(f"{column}.") for column in columns)


def all_columns(files: Any, there: Mapping[str, str]) -> list[str]:
    """The columns of a split's files, of which those of the usual names are ``there``."""
    from rnn_lightning.corpora.conll import CONLLU
    from rnn_lightning.corpora.tables import json_rows

    path = Path(names_of(files)[0])
    if isinstance(files, Mapping):
        return [*map(str, files)]
    if path.suffix == ".conllu":
        return [*CONLLU]
    if path.suffix in (".conll", ".bio", ".iob"):
        return [str(number) for number in range(1, int(there["tags"]) + 1)]
    if path.suffix in (".json", ".jsonl"):  # the first row need not have all
        return [*dict.fromkeys(name for _, row in json_rows(path) for name in row)]
    return [*dict.fromkeys(there.values())]


def heading_of(path: Path) -> list[str]:
    """The names of the columns of a table; a table whose separator is another has them too."""
    from rnn_lightning.corpora.tables import csv_rows, separator_of

    if path.suffix in (".csv", ".tsv"):
        heading = next(csv_rows(path, separator_of(path)), (0, []))[1]
        return re.split("[;\t|]", heading[0]) if len(heading) == 1 else heading
    if path.suffix == ".parquet":
        from pyarrow.parquet import read_schema

        return list(read_schema(path).names)
    return list(first_row(path))


def first_row(path: Path) -> dict[str, Any]:
    """The first row of a file of JSON lines.

    Raises:
        ValueError: where it is none.
    """
    from rnn_lightning.files import read_lines

    try:
        return dict(json.loads(next(read_lines(path), "")))
    except (ValueError, TypeError):
        raise ValueError(
            f"{path}:1 is no JSON object; give from=FILE of .csv, .jsonl, .txt, .conll, .parquet, or a folder"
        ) from None


def first_sentence(path: Path) -> list[list[str]]:
    """The words of the first sentence of a file of columns, each its cells."""
    from rnn_lightning.corpora.conll import ColumnFile

    sentences = ColumnFile().sentences(path, 1)
    return next(([cells for cells, _ in sentence.lines] for sentence in sentences if sentence.lines), [[""]])
