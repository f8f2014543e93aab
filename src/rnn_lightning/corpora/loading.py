"""Local files read by ``datasets``, each row with the file and the line that it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .corpus import CorpusError
from .reads import PLACE
from .tables import check_json, csv_rows, explanation, json_rows, text_lines

TEXT = "text"
"""The column of a file of text."""


def beside(columns: Mapping[str, Sequence[Path]], cache: str) -> Any:
    """Files of text as columns, a row for each of their lines.

    Raises:
        CorpusError: where they have not as many lines as each other.
    """
    from datasets import concatenate_datasets

    counts = {column: sum(map(text_lines, paths)) for column, paths in columns.items()}
    if len(set(counts.values())) > 1:
        said = " and ".join(f"{', '.join(map(str, columns[column]))} {count}" for column, count in counts.items())
        shortest = min(counts, key=counts.__getitem__)
        raise CorpusError(
            f"{columns[shortest][-1]}:{counts[shortest]} is its last line: parallel files must have as many lines, not {said}"
        )
    parts = [
        load("text", {"train": paths}, cache, {"encoding": "utf-8-sig"})["train"].rename_column(TEXT, column)
        for column, paths in columns.items()
    ]
    return concatenate_datasets(parts, axis=1)


def load(form: str, files: Mapping[str, Sequence[Path]], cache: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The splits of files, as the builder ``form`` of `datasets` reads them.

    Raises:
        CorpusError: where it cannot; names the file and, where it can be told, the line.
    """
    from datasets import load_dataset

    given = {split: [str(path) for path in paths] for split, paths in files.items()}
    try:
        return dict(load_dataset(form, data_files=given, cache_dir=cache, **options).items())  # pyright: ignore[reportAttributeAccessIssue]
    except Exception as error:
        paths = [path for some in files.values() for path in some]
        if form == "json":
            check_json(paths)
        raise CorpusError(f"{', '.join(map(str, paths))} cannot be read as {form}: {explanation(error)}") from error


def with_places(part: Any, form: str, paths: Sequence[Path], separator: str, cache: str) -> Any:
    """A split of files with the column `PLACE`, where each row was read from; as it is where that cannot be told."""
    from datasets import Dataset, Features, Value, concatenate_datasets

    if form == "text":  # no row of which is refused
        return part
    given = {"form": form, "paths": [*paths], "separator": separator}
    features = Features({PLACE: Value("string")})
    places = Dataset.from_generator(_place_rows, features, cache_dir=cache, gen_kwargs=given)
    if PLACE in part.column_names or len(places) != len(part):  # such as an array of JSON, which has no row a line
        return part
    return concatenate_datasets([part, places], axis=1)


def _place_rows(form: str, paths: Sequence[Path], separator: str) -> Iterator[dict[str, str]]:
    for path in paths:
        yield from ({PLACE: f"{path}:{line}"} for line in _lines_of_rows(form, path, separator))


def _lines_of_rows(form: str, path: Path, separator: str) -> Iterator[int]:
    """The line at which each row of a file begins, or of Parquet its number."""
    if form == "csv":
        before = 0
        for line, _ in csv_rows(path, separator):
            if before:
                yield line
            before = line
    elif form == "json":
        yield from (line for line, _ in json_rows(path))
    elif form == "parquet":
        from pyarrow import parquet

        yield from range(parquet.read_metadata(path).num_rows)
