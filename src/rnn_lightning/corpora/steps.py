"""The steps of a series in time: the columns that their features are made of.

Shapes: N steps, F features of a step.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calendar import CYCLES, calendar_of, read_dates
from .tables import REAL


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns that a step's features are made of, in this order.

    ``targets`` are forecast; ``past`` are measured beside them; ``known`` are known in advance, as is where in the cycles
    named by ``calendar`` (hour, weekday, ...) the column ``date`` is. A missing number is refused; where ``missing`` is
    ``last``, it is the one before it in its column.
    """

    targets: Sequence[str]
    past: Sequence[str] = ()
    known: Sequence[str] = ()
    date: str | None = None
    calendar: Sequence[str] = ()
    missing: str | None = None

    def __post_init__(self) -> None:
        if self.missing not in (None, "last"):
            raise ValueError(f"missing must be last, the last number before in its column, or null, not {self.missing!r}")
        if not self.targets:
            raise ValueError("targets must name one column or more")
        measured = [*self.targets, *self.past, *self.known]
        if twice := [name for name in dict.fromkeys(measured) if measured.count(name) > 1]:
            raise ValueError(f"a column is one of targets, past and known, and once; {twice[0]!r} is named more than once")
        if unknown := [name for name in self.calendar if name not in CYCLES]:
            raise ValueError(f"calendar must be of {list(CYCLES)}, not {unknown[0]!r}")
        if self.calendar and self.date is None:
            raise ValueError("calendar is read from a column of dates: name it as date")

    def names(self) -> list[str]:
        """All columns that are read."""
        return [*self.targets, *self.past, *self.known, *([] if self.date is None else [self.date])]

    def known_features(self) -> int:
        """How many features of a step are known in advance."""
        return len(self.known) + 2 * len(self.calendar)

    def numbers(self) -> list[str]:
        """The columns of numbers."""
        return [*self.targets, *self.past, *self.known]

    def filled(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """The ``columns`` with what ``missing`` says in place of missing numbers."""
        there = {name: carried_forward(columns[name]) for name in self.numbers()} if self.missing else {}
        return {**columns, **there}

    def features(self, columns: Mapping[str, Sequence[Any]], first: int = 0) -> NDArray[np.float32]:
        """The features (N, F) of the steps whose values are given by column, which begin at row ``first`` of a file.

        Raises:
            ValueError: naming column and row of what is no finite number, or no date.
        """
        numbers = [numbers_of(name, columns[name], first) for name in self.numbers()]
        given = np.stack(numbers, axis=1)
        if self.date is None:
            return given
        return np.concatenate([given, calendar_of(read_dates([*map(str, columns[self.date])]), self.calendar)], axis=1)


def is_missing(value: Any) -> bool:
    """Whether ``value`` is none: nothing, NaN, or an empty text."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())  # noqa: PLR0124 - NaN


def carried_forward(values: Sequence[Any]) -> list[Any]:
    """``values``, each missing one the last before it; those before the first that is there stay missing."""
    carried: list[Any] = []
    for value in values:
        carried.append(carried[-1] if carried and is_missing(value) else value)
    return carried


def numbers_of(name: str, values: Sequence[Any], first: int) -> NDArray[np.float32]:
    """The values (N,) of the column ``name``, from row ``first`` of a file on.

    Raises:
        ValueError: naming the first row, counted from 0, that has no finite number.
    """
    with np.errstate(over="ignore"):
        numbers = np.array([number_or_nan(value) for value in values]).astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"row {first + row} has {values[row]!r} in {name!r}: give it a finite number, or leave the column out")
    return numbers


def number_or_nan(value: Any) -> float:
    """The number that ``value`` is, or NaN; digits of other scripts, or with a line between, are none, as in CSV."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, str) and not REAL.fullmatch(value.strip())):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
