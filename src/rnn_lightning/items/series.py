"""Series from CSV files to arrays, and forecasts of them as answers.

Shapes: T steps of context, H steps of horizon, F features, K targets, Q quantiles.
"""

import base64
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..corpora.calendar import dates_after, read_dates, steps_of, uneven_steps, usual_width
from ..corpora.steps import Columns, is_missing
from ..quantiles import middle
from .base import Answer, Answerer
from .folders import read_description, settings_of
from .inputs import NOTHING, Encoded, Inputs, SignalInputs


class SeriesInputs(Inputs):
    """A series as the name of a CSV file, as its bytes or text, or as its columns by name, a list of values each.

    The last ``context`` rows that have targets are read. The rows after them, whose targets are empty, give what is known of
    the ``horizon``; of dates alone they may be left out, as the time from row to row is the usual one. That must be the
    ``width`` of the training data, such as "3600 seconds", where it is given; a line on standard error tells of gaps.
    """

    takes_files = True

    def __init__(self, size: int, columns: Mapping[str, Any], *, context: int, horizon: int, width: str | None = None) -> None:
        self.columns, self.context, self.horizon, self.width = Columns(**columns), context, horizon, width

    def from_request(self, item: str) -> Any:
        """The bytes of a CSV file, given in base64 or as its text."""
        try:
            return base64.b64decode(item, validate=True)
        except ValueError:  # it has other signs, such as the end of a line
            return item.encode()

    def encode(self, item: Any) -> Encoded:
        if isinstance(item, str) and not item.strip():
            return NOTHING
        if isinstance(item, str) and "\n" in item:
            item = item.encode()
        content = item if isinstance(item, bytes | Mapping) else SignalInputs.file(item)
        columns = read_columns(content) if isinstance(content, bytes) else content
        if missing := [name for name in self.columns.names() if name not in columns]:
            raise ValueError(f"there is no column {missing[0]!r}, only {list(columns)}")
        rows = {name: list(columns[name]) for name in self.columns.names()}
        origin = self.origin(rows)
        given = {name: values[:origin] for name, values in rows.items()}
        if self.columns.missing and (lacking := sum(map(is_missing, chain(*(given[name] for name in self.columns.numbers()))))):
            print(f"warning: {lacking} missing numbers of a forecast's rows are filled with the last before", file=sys.stderr)
        past = self.columns.filled(given)
        rows = {name: [*past[name], *values[origin:]] for name, values in rows.items()}
        if origin < self.context:
            raise ValueError(f"a forecast reads {self.context} rows, and only {origin} come before those without targets")
        dates = self.dates_of(rows, origin)
        window = slice(origin - self.context, origin + (self.horizon if self.columns.known_features() else 0))
        window_rows = {name: values[window] for name, values in rows.items()}
        return Encoded(self.features(window_rows, window.start), dates)

    def origin(self, rows: Mapping[str, list[Any]]) -> int:
        """How many rows there are before those at the end in which no target has a value."""
        count = min(map(len, rows.values()))
        while count and all(rows[name][count - 1] in (None, "") for name in self.columns.targets):
            count -= 1
        return count

    def dates_of(self, rows: dict[str, list[Any]], origin: int) -> list[str] | None:
        """The dates of the horizon, from row ``origin`` on, which ``rows`` are made to have; ``None`` without a column.

        Raises:
            ValueError: where they are of another width than those of the training.
        """
        if (name := self.columns.date) is None:
            return None
        known = read_dates([*map(str, rows[name][: origin + self.horizon])])
        if len(known) < 2:
            raise ValueError("a forecast reads two dates at least, whose difference is the time from row to row")
        read = known[min(origin - self.context, len(known) - 2) :]
        width = usual_width(steps_of(read))
        if self.width not in (None, str(width)):
            raise ValueError(f"rows are {width} apart, and those of the training {self.width}: give rows that are as far apart")
        _, line = uneven_steps(read, width)
        if line:
            print(f"warning: the rows of a forecast have gaps in time: {line}", file=sys.stderr)
        more = dates_after(known, width, origin + self.horizon - len(known))
        rows[name] = [str(date).replace("T", " ") for date in (*known, *more)]
        return rows[name][origin:]

    def features(self, rows: Mapping[str, list[Any]], first: int) -> np.ndarray:
        """The features (T, F), or (T + H, F), of ``rows``, with zeros for what the horizon does not have.

        ``first`` is the row of the file that they begin at.
        """
        steps = self.context + (self.horizon if self.columns.known_features() else 0)
        measured = (*self.columns.targets, *self.columns.past)
        filled = {name: [*rows[name][: self.context], *[0] * (steps - self.context)] for name in measured}
        for name in self.columns.known:
            if len(rows[name]) < steps:
                raise ValueError(f"{name!r} is known in advance: give {self.horizon} rows of it after those with targets")
        return self.columns.features({**rows, **filled}, first)


def read_columns(content: bytes) -> dict[str, list[str]]:
    """The columns of a CSV file with a header.

    Raises:
        ValueError: for what is empty or no UTF-8, and for a row with another number of fields.
    """
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = [row for row in lines if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"it is no CSV with a header: {error}") from None
    if not rows:
        raise ValueError("it is no CSV with a header: it is empty")
    header, *rows = rows
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise ValueError(f"the header has the column {twice[0]!r} more than once")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} fields, and the header {len(header)}")
    return {name: [row[at] for row in rows] for at, name in enumerate(header)}


def make_series_inputs(folder: str | Path, size: int) -> SeriesInputs:
    """What encodes series of ``size`` features for the predictor that ``folder`` describes."""
    settings = dict(settings_of(folder, "inputs"))
    settings.pop("name", None)
    window = {name: settings.pop(name) for name in ("context", "horizon")}
    return SeriesInputs(size, settings, **window, width=read_description(folder).get("width"))


class ForecastAnswers(Answerer):
    """The next values of each target: ``{"text": "OT 9.1 9.3 ...", "forecast": {"OT": [9.1, 9.3, ...]}}``.

    With quantiles there is ``quantiles``, ``{"OT": {"0.1": [...], ...}}``, and the forecast is the middle one; with dates
    ``dates``. As CSV it is a row a step.
    """

    formats: ClassVar[tuple[str, ...]] = ("text", "json", "csv")
    targets: Sequence[str]
    quantiles: Sequence[float] | None

    def answer_of(self, forecast: NDArray[np.float32], dates: Sequence[str] | None) -> Answer:
        """The answer for a ``forecast`` (H, K) or (H, K, Q)."""
        quantiles = self.quantiles
        more: Answer = {} if dates is None else {"dates": list(dates)}
        chosen = forecast if quantiles is None else forecast[:, :, middle(quantiles)]
        forecasts = dict(zip(self.targets, chosen.T.tolist(), strict=True))
        if quantiles is not None:
            each = zip(self.targets, forecast.transpose(1, 2, 0).tolist(), strict=True)
            more["quantiles"] = {name: dict(zip(map(str, quantiles), values, strict=True)) for name, values in each}
        text = "; ".join(" ".join([name, *(f"{value:.6g}" for value in values)]) for name, values in forecasts.items())
        return {"text": text, "forecast": forecasts, **more}

    def text(self, answer: Answer, form: str = "text") -> str:
        return answer["text"] if form == "text" or "forecast" not in answer else as_csv(answer)


def as_csv(answer: Answer) -> str:
    """The forecast with a row a step: date, targets, and their quantiles, as ``OT_0.1``."""
    columns: dict[str, Sequence[Any]] = {"date": answer["dates"]} if "dates" in answer else {}
    columns |= answer["forecast"]
    for name, quantiles in answer.get("quantiles", {}).items():
        columns |= {f"{name}_{quantile}": values for quantile, values in quantiles.items()}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows([list(columns), *zip(*columns.values(), strict=True)])
    return text.getvalue().rstrip("\n")
