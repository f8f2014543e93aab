"""Guesses about a series in time: its season by its dates, and how it is cut into windows and splits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEASONS = {900: 96, 1800: 48, 3600: 24, 86_400: 7, 604_800: 52}
"""Steps after which a series usually repeats, by the seconds of a step; of months it is 12."""
WITHOUT_DATES = 12
REFERENCES = [
    {"name": "last value", "card": "last_value_mse"},
    {"name": "value a season ago", "card": "seasonal_naive_mse"},
    {"name": "linear in the window", "card": "linear_mse"},
]
SEASONS_READ = 7


def window_of(path: Path, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a corpus that forecasts the season that comes from the seven before, and of its network.

    Raises:
        ValueError: where the file has too few rows, or a date that is none.
    """
    names, rows = table_of(path)
    date = columns.get("date")
    season = WITHOUT_DATES if date is None else season_of([row[names.index(date)] for row in rows])
    context = SEASONS_READ * season
    while context > season and 0.8 * len(rows) < 2 * context:
        context -= season
    if len(rows) < 10 * season:
        raise ValueError(f"{path} has {len(rows)} rows: a series that repeats after {season} steps must have {10 * season}")
    cuts = [0, int(0.8 * len(rows)), int(0.9 * len(rows)), len(rows)]
    borders = {split: cuts[at : at + 2] for at, split in enumerate(("train", "validation", "test"))}
    window = {"context": context, "horizon": season, "season": season, "borders": borders}
    corpus = {**window, "record": None, "date": date}
    return {"references": REFERENCES, "training": {"validate_every": None}, "corpus": corpus, "model": {"segment": season}}


def season_of(dates: list[str]) -> int:
    """The steps after which a series with these ``dates`` usually repeats."""
    from rnn_lightning.corpora.calendar import read_dates, steps_of, usual_width

    width = usual_width(steps_of(read_dates(dates)))
    return 12 if str(width.dtype) == "timedelta64[M]" else SEASONS.get(int(width.astype(int)), WITHOUT_DATES)


def table_of(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns of a file of CSV, and its rows.

    Raises:
        ValueError: for another file.
    """
    from rnn_lightning.corpora.tables import csv_rows, separator_of

    if path.suffix not in (".csv", ".tsv"):
        raise ValueError(f"{path}: a series to forecast is a file of CSV, a row a step; of others write the task file by hand")
    _, *rows = (row for _, row in csv_rows(path, separator_of(path)))
    return next(csv_rows(path, separator_of(path)))[1], rows
