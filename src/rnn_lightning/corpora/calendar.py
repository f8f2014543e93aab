"""The calendar as numbers: where in the day, the week or the year a step is.

Shapes: N steps.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Dates = NDArray[np.datetime64]

DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?)?)?", re.ASCII)
DAY = np.timedelta64(1, "D")
MISSING = ("", "None", "NaT", "nan")


def _within(unit: str, whole: str) -> Callable[[Dates], NDArray[np.float64]]:
    """The number of whole units since the beginning of the larger ``whole``."""
    return lambda dates: (dates.astype(f"M8[{unit}]") - dates.astype(f"M8[{whole}]")).astype(f"m8[{unit}]").astype(np.float64)


CYCLES: dict[str, tuple[int, Callable[[Dates], NDArray[np.float64]]]] = {
    "minute": (60, _within("m", "h")),
    "hour": (24, _within("h", "D")),
    "weekday": (7, lambda dates: (_within("D", "W")(dates) + 3) % 7),  # weeks are counted from Thursday, 1 January 1970
    "month": (12, _within("M", "Y")),
    "day_of_year": (366, _within("D", "Y")),
}
"""The steps of each cycle, and how many of them are over at a date."""


def calendar_of(dates: Dates, names: Sequence[str]) -> NDArray[np.float32]:
    """The sine and the cosine of the place in each cycle of `CYCLES` that is named, (N, 2 times the names)."""
    columns = []
    for name in names:
        steps, place = CYCLES[name]
        angle = 2 * np.pi * place(dates) / steps
        columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.empty((len(dates), 0), np.float32)


def read_dates(texts: Sequence[str]) -> Dates:
    """Dates of texts in the form of ISO 8601 with separators, ``2016-07-01 00:00:00``, or its beginning.

    All are of one clock, without an offset from UTC.

    Raises:
        ValueError: naming the first that is none, or that is not later than the one before.
    """
    dates = np.array([read_date(text.strip(), row) for row, text in enumerate(texts)], dtype="M8[s]")
    late = np.flatnonzero(np.diff(dates) <= np.timedelta64(0))
    if len(late):
        raise ValueError(f"dates must ascend: row {late[0] + 1} has {dates[late[0] + 1]} after {dates[late[0]]}")
    return dates


def read_date(text: str, row: int) -> np.datetime64:
    """The date of a ``row``.

    Raises:
        ValueError: where it is none.
    """
    if text in MISSING:
        raise ValueError(f"the date of row {row} is missing")
    try:
        if DATE.fullmatch(text):
            return np.datetime64(text, "s")
    except ValueError:
        pass  # a month or an hour that there is not
    form = "as 2023-01-31 05:00:00 (ISO 8601), or its beginning from 2023-01 on, without an offset such as Z or +02:00"
    raise ValueError(f"row {row} has the date {text!r}: every date must be {form}")


def steps_of(dates: Dates) -> NDArray[np.timedelta64]:
    """The time (N - 1) from each date to the next, in seconds.

    It is in months where all dates have the same place in theirs, or are its last day.
    """
    for moved in (dates, dates + DAY):
        months = moved.astype("M8[M]")
        if len(np.unique(moved - months)) == 1:
            return np.diff(months)
    return np.diff(dates)


def usual_width(steps: NDArray[np.timedelta64]) -> np.timedelta64:
    """The most frequent of ``steps``, the shortest where there are several."""
    widths, counts = np.unique(steps, return_counts=True)
    return widths[counts.argmax()]


def uneven_steps(dates: Dates, width: np.timedelta64) -> tuple[int, str]:
    """How many steps between ``dates`` are not ``width`` wide, and a line that says so, with the first of them."""
    steps = steps_of(dates)
    uneven = np.flatnonzero(steps != width) if steps.dtype == width.dtype else np.arange(len(steps))
    if not len(uneven):
        return 0, ""
    begin, end = (str(date).replace("T", " ") for date in dates[uneven[0] : uneven[0] + 2])
    return len(uneven), f"{len(uneven)} of {len(steps)} steps are not the usual {width}, the first from {begin} to {end}"


def dates_after(dates: Dates, width: np.timedelta64, count: int) -> Dates:
    """The ``count`` dates that follow the last of ``dates``, each a ``width``, in seconds or months, after the one before."""
    steps = width * np.arange(1, count + 1)
    if np.datetime_data(width.dtype)[0] != "M":
        return dates[-1] + steps
    ends = ((dates[-2:] + DAY).astype("M8[M]") > dates[-2:].astype("M8[M]")).all()  # last days of months stay last days
    moved = dates[-1] + DAY * int(ends)
    month = moved.astype("M8[M]")
    return (month + steps).astype("M8[s]") + (moved - month) - DAY * int(ends)
