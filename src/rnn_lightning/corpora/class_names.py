"""Columns of class labels: integers with names in the schema, or text."""

from pathlib import Path
from typing import Any

from .corpus import CorpusError


def read_classes(table: Any, column: str, path: Path) -> tuple[list[str | None], list[str]]:
    """The class name of each row of a ``pyarrow.Table``, ``None`` where it has none; and all names in their order.

    Raises:
        CorpusError: where the column holds neither class labels with names, nor text.
    """
    import pyarrow

    kind, values = table.schema.field(column).type, table[column].to_pylist()
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return values, sorted(set(values) - {None})
    if pyarrow.types.is_integer(kind):
        from datasets import Features

        names = getattr(Features.from_arrow_schema(table.schema)[column], "names", None)
        if names is not None:
            return [names[value] if value is not None and 0 <= value < len(names) else None for value in values], list(names)
    raise CorpusError(f"{path} has no classes in column {column!r}, but {kind}; classes are text or named class labels")


def require_class(name: str | None) -> str:
    """Check that a row has a class, and return it.

    Raises:
        ValueError: where it is not.
    """
    if name is None:
        raise ValueError("it has no class")
    return name
