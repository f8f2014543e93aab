"""Time series: series of measurements with a class each, or with numbers.

Japanese Vowels (Kudo et al., "Multidimensional Curve Classification Using Passing-Through Regions", 1999): nine speakers.

Shapes: T steps, F features.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import require_class
from .corpus import CorpusError, Pairs, RawSplit
from .examples import as_numbers, feature_card, features_of, read_splits, write_classes, write_numbers
from .parquet import FEW, Tables, places_in, read_table
from .reading import Examples, Raw, check_widths, read_examples
from .reads import PLACE, Column, given
from .source import FromSource

LARGEST = float(np.finfo(np.float32).max)
"""The largest number of single precision, in which values are kept."""


@dataclass(kw_only=True, eq=False)
class Series(FromSource):
    """A pairs corpus of series and the column ``label``, a class, or ``value``, a number, or ``[a, b]``, several.

    ``sequence`` is a column of lists of steps, each a number or F of them. As a list it names columns of numbers, one each or
    by a pattern (``t*``): with ``series``, the column that numbers or names the series, a row is a step and these are its F
    measurements; rows of one series, which need not be adjacent, are its steps in their order, and have one class or number.
    Without it, a row is a series and these are its steps. A row whose numbers are not finite, or that has no step,
    is named and left out, up to the share ``most_left_out`` of its split. The other fields are those of `FromSource`.
    """

    sequence: str | Sequence[str]
    label: str | None = None
    value: str | Sequence[str] | None = None
    series: str | None = None
    most_left_out: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.label is None) == (self.value is None):
            raise ValueError(f"either label or value must name a column, not {self.label!r} and {self.value!r}")
        self.answers = names_of(self.label if self.label is not None else self.value)
        if not isinstance(self.value, str | None) and (len(self.answers) < 2 or len({*self.answers}) < len(self.answers)):
            raise ValueError(f"value must name a column, or two and more once each, not {self.value!r}")
        read = [*names_of(self.sequence), *([] if self.series is None else [self.series])]
        if leaks := [name for name in self.answers if any(fnmatchcase(name, pattern) for pattern in read)]:
            raise ValueError(f"{leaks[0]!r} is what is to be predicted of a series: sequence and series must be other columns")
        if self.series is not None and isinstance(self.sequence, str):
            raise ValueError(f"sequence must be a list of columns beside series, such as [x, y], not {self.sequence!r}")

    def columns(self) -> list[Column]:
        steps = [self.sequence] if isinstance(self.sequence, str) else self.sequence
        answer = [*given("label", self.label, "class"), *(Column("value", name, "number") for name in names_of(self.value))]
        return [*(Column("sequence", step, "number") for step in steps), *answer, *given("series", self.series, "unit")]

    def check_part(self, split: str, part: Any) -> None:
        super().check_part(split, part)
        if self.series is not None:
            table = part.flatten().with_format("arrow")[:]
            series, *answers = (table[name].to_pylist() for name in (self.series, *self.answers))
            places = places_in(table, f"the {split} split of {self.origin}")
            by_series(series, [*map(alone, zip(*answers, strict=True))], places)

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        splits = read_splits(raw, partial(self.read, folder=processed.parent))
        check_widths((some.inputs.values.shape[1:] for some in splits.examples.values()), self.advice)
        more = {**feature_card(splits.examples["train"].inputs.values), **splits.card}
        fields = CardFields(f"{self.origin.title}, {', '.join(self.answers)}", source, more=more)
        if self.label is None:
            write_numbers(processed, splits.examples, fields, targets=None if isinstance(self.value, str) else self.answers)
        else:
            write_classes(processed, splits.examples, splits.classes, fields)

    def raw_split(self, path: Path) -> RawSplit:
        if self.label is None:
            examples, several = self.read(path)[0], 0 if isinstance(self.value, str) else len(self.answers)
            return RawSplit("values", Pairs(*examples.inputs, as_numbers(examples.answers, several)))
        return RawSplit("classes", lambda tokenizer: self.read(path)[0])

    def inputs(self) -> dict[str, Any]:
        """Where a row is a step, its features have the names of their columns; those of lists and of cells have none."""
        named = {"features": names_of(self.sequence)} if self.series is not None else {}
        return {"name": "arrays", **named}

    @property
    def advice(self) -> str:
        """What is said of series whose steps have not as many numbers as others."""
        return f"a row of {self.sequence!r} has another number of measurements"

    def read(self, path: Path, folder: Path | None = None) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, in files of ``folder``, the places of rows left out, and the class names, if there
        are classes."""
        classes = None if self.label is None else self.classes_of(path)
        rows = self.rows_of(path, (lambda value: value) if classes is None else classes.name)
        reader = partial(read_row, numbers_of if classes is None else require_class)
        most, workers, place = self.most_left_out, self.workers, {"folder": folder, "at_once": FEW, "advice": self.advice}
        examples, left_out = read_examples(rows, reader, most_left_out=most, workers=workers, **place)
        return examples, left_out, [] if classes is None else classes.names

    def rows_of(self, path: Path, answer_of: Callable[[Any], Any]) -> Iterator[Raw]:
        """The place of each series, its steps and its answer; a table whose columns are steps is read as a whole."""
        if isinstance(self.sequence, str):
            cells = Tables(path, [*self.answers, self.sequence], rows=FEW).placed(self.sequence, *self.answers)
            yield from (Raw(place, (steps, answer_of(alone(some)))) for place, (steps, *some) in cells)
            return
        table = read_table(path, self.answers)
        places = places_in(table, path)
        given = zip(*(table[name].to_pylist() for name in self.answers), strict=True)
        answers, steps = [answer_of(alone(some)) for some in given], columns_of(table, self.sequence, path)
        if self.series is None:
            yield from (Raw(place, (steps[row], answers[row])) for row, place in enumerate(places))
            return
        for name, rows in by_series(table[self.series].to_pylist(), answers, places).items():
            first = next((row for row in rows if not is_empty(answers[row])), rows[0])
            yield Raw(f"series {name!r} from {places[rows[0]]} on", (steps[rows], answers[first]))


def names_of(value: Any) -> list[str]:
    """The names of columns, one or several.

    Raises:
        ValueError: for what is no name.
    """
    names = [value] if isinstance(value, str) else list(value or []) if isinstance(value, Sequence | None) else [value]
    if wrong := [name for name in names if not isinstance(name, str) or not name]:
        raise ValueError(f"a column is called by its name, or several by a list of names, not by {wrong[0]!r}")
    return names


def alone(cells: Sequence[Any]) -> Any:
    """The only one of the ``cells``, or all of them."""
    return tuple(cells) if len(cells) > 1 else cells[0]


def by_series(names: Sequence[Any], answers: Sequence[Any], places: Sequence[str]) -> dict[Any, list[int]]:
    """The rows of each series, in order; the series are in the order of their first rows.

    Raises:
        CorpusError: for a row that names no series, or that has another answer than its series; names its place.
    """
    rows: dict[Any, list[int]] = {}
    first: dict[Any, Any] = {}
    for row, (name, answer) in enumerate(zip(names, answers, strict=True)):
        if is_empty(name):
            raise CorpusError(f"{places[row]} names no series: fill its id in, or take the row out")
        rows.setdefault(name, []).append(row)
        if not is_empty(answer) and first.setdefault(name, answer) != answer:
            raise CorpusError(f"{places[row]} has {answer!r}, but series {name!r} has {first[name]!r} before: give it one")
    return rows


def is_empty(cell: Any) -> bool:
    """Whether a cell has no value: nothing, no number (NaN) or only blanks; of several cells, whether one has none."""
    if isinstance(cell, tuple):
        return any(map(is_empty, cell))
    return cell is None or (isinstance(cell, float) and np.isnan(cell)) or not str(cell).strip()


def columns_of(table: Any, names: Sequence[str], path: Path) -> NDArray[np.float64]:
    """The columns of a ``pyarrow.Table`` of a name or pattern of ``names``, beside each other.

    Raises:
        CorpusError: where a name has no column, or a column no numbers.
    """
    there = [name for name in table.column_names if name != PLACE]
    found = [column for name in names for column in there if fnmatchcase(column, name)]
    if missing := [name for name in names if not any(fnmatchcase(column, name) for column in found)]:
        raise CorpusError(f"{path} has no column {missing[0]!r}; sequence must be of {there}")
    try:
        return np.stack([table[column].to_numpy().astype(np.float64) for column in found], axis=1)
    except (ValueError, TypeError) as error:
        raise CorpusError(f"{path} has a column of {found} that holds no numbers: {error}") from None


def read_row(check: Callable[[Any], Any], steps: Any, answer: Any) -> tuple[NDArray[np.float32], Any]:
    """The features (T, F) of a row and its answer, which ``check`` returns; steps of one number each have F = 1.

    Raises:
        ValueError: where it has no valid features, or no answer.
    """
    flat = len(steps or []) > 0 and np.ndim(steps[0]) == 0 if not isinstance(steps, np.ndarray) else steps.ndim == 1
    return features_of(np.asarray(steps)[:, None] if flat else steps), check(answer)


def numbers_of(value: Any) -> float | list[float]:
    """A number, or several, checked to be finite.

    Raises:
        ValueError: where one is none.
    """
    return [*map(float_of, value)] if isinstance(value, tuple) else float_of(value)


def float_of(value: Any) -> float:
    """A number, checked to be finite in single precision too.

    Raises:
        ValueError: where it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"its value is no number up to {LARGEST:.3g}, but {value!r}")
    return float(value)
