"""Columns of class labels: integers with names in the schema or without, booleans, or text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from .corpus import CorpusError
from .parquet import places_in


@dataclass(frozen=True)
class Classes:
    """The ``names`` of all classes of a column in their order, whether its values are ``numbers`` of these, and which values
    are ``none``."""

    names: list[str]
    numbers: bool
    none: tuple[int | None, ...]

    def name(self, value: Any) -> str | None:
        """The class of a value, ``None`` where it has none."""
        return None if value in self.none else self.names[value] if self.numbers else str(value)


def find_classes(tables: Iterable[Any], schema: Any, column: str, path: Path, names: Sequence[str] | None = None) -> Classes:
    """The classes in the ``column`` of ``tables`` (``pyarrow.Table``) of one ``schema``, which are gone through once.

    Of booleans the classes are ``false`` and ``true``. Integers are numbers of the ``names`` or, without these, of the names in
    the schema; where that has none either, the classes are the integers themselves, in their order. Where the schema has names,
    -1 is none, as is usual on the Hub.

    Raises:
        CorpusError: where the column holds neither integers nor text, or an integer that has no name; names the row.
    """
    import pyarrow

    kind = schema.field(column).type
    if names is None and pyarrow.types.is_boolean(kind):
        return Classes(["false", "true"], numbers=True, none=(None,))
    values = chain.from_iterable(table[column].to_pylist() for table in tables)
    if names is None and (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        return Classes(sorted(set(values) - {None}), numbers=False, none=(None,))
    if pyarrow.types.is_integer(kind):
        none = (None,) if names is not None else (None, -1)
        known = _names_in(schema, column) if names is None else list(names)
        if known is None:
            return Classes([str(number) for number in sorted(set(values) - {None})], numbers=False, none=(None,))
        _check_numbers(tables, column, path, known, none)
        return Classes(known, numbers=True, none=none)
    wanted = "classes are text, integers or booleans" if names is None else f"the classes {list(names)} are for integers"
    raise CorpusError(f"{path} has no classes in column {column!r}, but {kind}; {wanted}")


def _check_numbers(tables: Iterable[Any], column: str, path: Path, names: Sequence[str], none: Sequence[Any]) -> None:
    """Refuse a number in the ``column`` that no class has and that is not among ``none``; names its row."""
    before = 0
    for table in tables:
        for row, value in enumerate(table[column].to_pylist()):
            if value not in none and not 0 <= value < len(names):
                place, wanted = (
                    places_in(table, path, before)[row],
                    f"the classes {names} are the numbers 0 to {len(names) - 1}",
                )
                raise CorpusError(f"{place} has the class {value} in column {column!r}; {wanted}")
        before += len(table)


def _names_in(schema: Any, column: str) -> list[str] | None:
    """The names of class labels that a schema states."""
    from datasets import Features

    names = getattr(Features.from_arrow_schema(schema)[column], "names", None)
    return None if names is None else list(names)


def require_class(name: str | None) -> str:
    """Check that a row has a class, and return it.

    Raises:
        ValueError: where it is not.
    """
    if name is None:
        raise ValueError("it has no class")
    return name
