"""Forecasting: series in time, of which the next values are to be told from those before.

Shapes: N steps, K targets, F features of a step.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .baselines import baseline_errors, seasonal_errors
from .calendar import Dates, read_dates, steps_of, uneven_steps, usual_width
from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, RawSplit, TimeSeries
from .dividing import WAYS
from .examples import feature_card
from .parquet import places_in, read_table
from .reads import Column, given
from .source import FromSource
from .steps import Columns, is_missing

CUTS = (
    "cut the series in time by borders, such as {train: [0, 8000], validation: [8000, 9000], test: [9000, 10000]} in rows, "
    "or by splits, such as {train: 'train[:80%]', validation: 'train[80%:90%]', test: 'train[90%:]'}"
)

ADVICE = "give it a number, or set corpus.missing to last, which takes the last number before it"


@dataclass(kw_only=True, eq=False)
class Forecasting(FromSource):
    """A series in time, a row a step, from which windows are forecast: ``context`` steps are read, ``horizon`` are told.

    The fields down to ``calendar``, and ``missing``, are those of `Columns`; the card counts the missing numbers. ``borders``
    cut the split ``train`` in time: ``{train: [0, 8640], validation: [8640, 11520], test: [11520, 14400]}`` in rows; a window
    of the later two may begin in the split before. Without borders the data set has the three splits, and no window reaches
    from one to another. ``season`` is the steps of the period by which the seasonal forecast repeats. The other fields are
    those of `FromSource`, but for ``held_out``, which would draw single rows.

    The card has the means and deviations of the training part, the mean absolute error of the seasonal forecast there, by which
    errors are scaled, and the errors of forecasts without a network, of standardised values, as references. With dates it has
    the usual time from step to step in the training part, and how many steps of each split are of another.
    """

    item_settings: ClassVar[tuple[str, ...]] = ("context", "horizon")
    ways: ClassVar[Mapping[str, str]] = {"train": WAYS["train"], "validation": CUTS, "test": CUTS}

    targets: Sequence[str]
    context: int
    horizon: int
    season: int
    past: Sequence[str] = ()
    known: Sequence[str] = ()
    date: str | None = None
    calendar: Sequence[str] = ()
    borders: Mapping[str, Sequence[int]] | None = None
    missing: str | None = None

    def __post_init__(self) -> None:
        if self.held_out is not None:
            raise ValueError(f"held_out would draw rows of a series at random, with {dict(self.held_out)}: {CUTS}")
        super().__post_init__()
        names = ("targets", "past", "known", "date", "calendar", "missing")
        self.step = Columns(**{name: getattr(self, name) for name in names})
        for name in ("context", "horizon", "season"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 step or more, not {getattr(self, name)}")
        if self.season > self.context:
            raise ValueError(f"a season of {self.season} steps must lie in the context of {self.context}")
        if self.borders is not None:
            check_borders(self.borders)

    @property
    def needed(self) -> Sequence[str]:
        return SPLITS if self.borders is None else ("train",)

    def columns(self) -> list[Column]:
        measured = {"targets": self.targets, "past": self.past, "known": self.known}
        empty = None if self.missing else ADVICE
        numbers = [Column(key, name, "number", empty) for key, names in measured.items() for name in names]
        return [*numbers, *given("date", self.date, "text")]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        splits = self.read(raw)
        title = f"{self.origin.title}, {', '.join(self.targets)}, {self.horizon} steps ahead"
        card = self.measured(splits)
        more = card | ({"missing": self.count_missing(raw)} if self.missing else {})
        more |= {} if self.date is None else {"spacing": spacing_of(self.dates(raw, self.date))}
        references = self.references(splits, card["standardize"])
        write_processed(processed, splits, CardFields(title, source, references=references, more=more))

    def test_split(self, raw: Path) -> RawSplit:
        """The test split, with what its training part says of its scale, and the errors of forecasts without a network."""
        self.verified(raw)
        splits = self.read(raw)
        card = self.measured(splits)
        return RawSplit("series", splits["test"], {**card, "references": self.references(splits, card["standardize"])})

    def measured(self, splits: Mapping[str, TimeSeries]) -> dict[str, Any]:
        """What the card says of the targets, and of the scale of the training part."""
        card = feature_card(splits["train"].inputs)
        more = {**card, "targets": [*self.targets], "horizon": self.horizon, "known": self.step.known_features()}
        return more | {"season": self.season, "seasonal_errors": self.scale(splits["train"])}

    def read(self, raw: Path) -> dict[str, TimeSeries]:
        """The splits of the files in ``raw``.

        Raises:
            CorpusError: for one in which there is no window.
        """
        splits = self.read_splits(raw)
        for name, split in splits.items():
            if (windows := split.sizes()["windows"]) < 1:
                least = f"{self.context} + {self.horizon}"
                raise CorpusError(f"the {name} split has {len(split.inputs)} steps: a window takes {least} ({windows} windows)")
        return splits

    def read_splits(self, raw: Path) -> dict[str, TimeSeries]:
        """The splits of the files in ``raw``, as long as they are."""
        if self.borders is None:
            return {split: self.series(self.features(raw / f"{split}.parquet"), 0) for split in SPLITS}
        whole = self.features(raw / "train.parquet")
        if (last := self.borders["test"][1]) > len(whole):
            raise CorpusError(f"borders.test ends at row {last}, but {raw / 'train.parquet'} has {len(whole)} rows")
        splits = {}
        for split in SPLITS:
            begin, end = self.borders[split]
            before = min(begin, self.context)
            splits[split] = self.series(whole[begin - before : end], before)
        return splits

    def count_missing(self, raw: Path) -> dict[str, int]:
        """How many numbers of each column are missing, which a line on standard error tells."""
        counts = dict.fromkeys(self.step.numbers(), 0)
        for split in self.needed:
            table = read_table(raw / f"{split}.parquet", [*counts])
            counts = {name: count + sum(map(is_missing, table[name].to_pylist())) for name, count in counts.items()}
        if any(counts.values()):
            some = ", ".join(f"{count} in {name!r}" for name, count in counts.items() if count)
            print(f"preprocess: missing numbers are the last before them: {some}", file=sys.stderr)
        return counts

    def dates(self, raw: Path, column: str) -> dict[str, Dates]:
        """The dates of the steps of each split, those of its context too."""
        tables = {name: read_table(raw / f"{name}.parquet", [column]) for name in self.needed}
        dates = {name: read_dates([*map(str, table[column].to_pylist())]) for name, table in tables.items()}
        if self.borders is None:
            return dates
        cuts = [(split, *self.borders[split]) for split in SPLITS]
        return {split: dates["train"][begin - min(begin, self.context) : end] for split, begin, end in cuts}

    def features(self, path: Path) -> NDArray[np.float32]:
        """The features (N, F) of a file.

        Raises:
            CorpusError: naming column, file and line, or row, of what is no number or date.
        """
        table = read_table(path, self.step.names())
        try:
            return self.step.features(self.step.filled({name: table[name].to_pylist() for name in self.step.names()}))
        except ValueError as error:
            advice = (
                ""
                if self.missing or "finite" not in str(error)
                else "; or set corpus.missing to last, which takes the one before"
            )
            places = places_in(table, path)
            said = re.sub(r"\brow (\d+)", lambda row: places[int(row[1])], f"{error}", count=1)
            raise CorpusError(f"{said if said != str(error) else f'{path}: {error}'}{advice}") from None

    def series(self, features: NDArray[np.float32], before: int) -> TimeSeries:
        """The ``features`` (N, F) of a split, of which the first ``before`` steps are context alone."""
        window = [self.context, self.horizon, before, len(self.targets), self.step.known_features()]
        return TimeSeries(features, np.array(window, dtype=np.int64))

    def scale(self, train: TimeSeries) -> list[float]:
        """The error (K,) of the seasonal forecast over the training part."""
        return seasonal_errors(train.inputs[:, : len(self.targets)], self.season)

    def references(self, splits: Mapping[str, TimeSeries], statistics: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """The errors of the baselines on the test split, of values that are standardised as ``statistics`` say."""
        targets = len(self.targets)
        mean, std = (np.array(statistics[name][:targets]) for name in ("mean", "std"))
        values = {name: ((split.inputs[:, :targets] - mean) / std, int(split.window[2])) for name, split in splits.items()}
        return baseline_errors(values, context=self.context, horizon=self.horizon, season=self.season)

    def inputs(self) -> dict[str, Any]:
        columns = {name: value for name, value in asdict(self.step).items() if name != "missing" or value}
        return {"name": "series", **columns, "context": self.context, "horizon": self.horizon}


def spacing_of(dates: Mapping[str, Dates]) -> dict[str, Any]:
    """The card's entry on the time from step to step: the usual ``width`` in the training split, and how many steps of each
    split, of the ``dates``, are ``uneven``, which a line on standard error tells."""
    width, uneven = usual_width(steps_of(dates["train"])), {}
    for split, some in dates.items():
        uneven[split], line = uneven_steps(some, width)
        if line:
            print(f"preprocess: the {split} split has gaps in time: {line}", file=sys.stderr)
    return {"width": str(width), "uneven": uneven}


def check_borders(borders: Mapping[str, Sequence[int]]) -> None:
    """Refuse borders that are not [begin, end) of each split, one after the other.

    Raises:
        ValueError: naming them.
    """
    parts = [list(borders.get(split, ())) for split in SPLITS]
    ends = [end for part in parts for end in part]
    if (
        set(borders) != set(SPLITS)
        or any(len(part) != 2 or part[0] >= part[1] for part in parts)
        or [0, *ends] != sorted([0, *ends])
    ):
        raise ValueError(
            f"borders must be [begin, end] in rows from 0 on for train, validation and test, in time, not {dict(borders)}"
        )
