"""Columns of class labels: integers with names in the schema or without, booleans, or text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .corpus import CorpusError


def read_classes(table: Any, column: str, path: Path, names: Sequence[str] | None = None) -> tuple[list[str | None], list[str]]:
    """The class name of each row of a ``pyarrow.Table``, ``None`` where it has none; and all names in their order.

    Of booleans the classes are ``false`` and ``true``. Integers are numbers of the ``names`` or, without these, of the names in
    the schema; where that has none either, the classes are the integers themselves, in their order. Where the schema has names,
    -1 is none, as is usual on the Hub.

    Raises:
        CorpusError: where the column holds neither integers nor text, or an integer that has no name; names the row.
    """
    import pyarrow

    kind, values = table.schema.field(column).type, table[column].to_pylist()
    if names is None and pyarrow.types.is_boolean(kind):
        return [None if value is None else str(value).lower() for value in values], ["false", "true"]
    if names is None and (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        return values, sorted(set(values) - {None})
    if pyarrow.types.is_integer(kind):
        none = [None] if names is not None else [None, -1]
        names = _names_in(table.schema, column) if names is None else list(names)
        if names is None:
            numbers = sorted(set(values) - {None})
            return [None if value is None else str(value) for value in values], [str(number) for number in numbers]
        for row, value in enumerate(values):
            if value not in none and not 0 <= value < len(names):
                wanted = f"the classes {names} are the numbers 0 to {len(names) - 1}"
                raise CorpusError(f"row {row} of {path} has the class {value} in column {column!r}; {wanted}")
        return [None if value in none else names[value] for value in values], names
    wanted = "classes are text, integers or booleans" if names is None else f"the classes {list(names)} are for integers"
    raise CorpusError(f"{path} has no classes in column {column!r}, but {kind}; {wanted}")


def _names_in(schema: Any, column: str) -> list[str] | None:
    """The names of class labels that a schema states."""
    from datasets import Features

    return getattr(Features.from_arrow_schema(schema)[column], "names", None)


def require_class(name: str | None) -> str:
    """Check that a row has a class, and return it.

    Raises:
        ValueError: where it is not.
    """
    if name is None:
        raise ValueError("it has no class")
    return name
