"""Forecasting corpora: windows against an enumeration, baselines against plain loops, and what is refused."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpora import TINY, processed

from rnn_lightning import WindowModule
from rnn_lightning.corpora import SPLITS, CorpusError, Forecasting
from rnn_lightning.corpora.calendar import CYCLES, calendar_of, dates_after, read_dates, steps_of, uneven_steps, usual_width

BORDERS = {"train": [0, 60], "validation": [60, 80], "test": [80, 110]}
WINDOW: dict[str, Any] = {"context": 6, "horizon": 3, "season": 4}
START = datetime.datetime(2024, 2, 28, 22)


def table(rows: int = 120) -> dict[str, dict[str, Any]]:
    draws = np.random.default_rng(0)
    dates = [str(START + datetime.timedelta(hours=hour)) for hour in range(rows)]
    columns = {name: (draws.normal(size=rows) + np.arange(rows) % 4).tolist() for name in ("one", "two", "load", "price")}
    return {"train": {"date": dates, **columns}}


def corpus(**more: Any) -> Forecasting:
    settings = {"targets": ["one", "two"], "date": "date", "borders": BORDERS, **WINDOW, **more}
    return Forecasting(**TINY, **settings)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("known", [{}, {"known": ["price"], "calendar": ["hour"]}], ids=["past", "known"])
def test_windows_are_an_enumeration_of_the_table(tmp_path: Path, stride: int, known: dict[str, Any]) -> None:
    columns = table()
    made = corpus(past=["load"], **known)
    card, _ = processed(made, tmp_path, columns)
    values = made.step.features(columns["train"])
    data = WindowModule(tmp_path / "processed", batch_size=4, eval_batch_size=5, stride=stride)
    ahead = 3 if known else 0
    for split, (begin, end) in BORDERS.items():
        batches = [data.dataset(split)[name] for name in data.dataset(split).in_order()]
        step = stride if split == "train" else 1
        origins = range(max(begin, 6), end - 3 + 1, step)
        assert sum(len(batch.inputs) for batch in batches) == len(origins)
        assert card["splits"][split]["windows"] == len(range(max(begin, 6), end - 3 + 1))
        rows = [row for batch in batches for row in zip(batch.inputs, batch.targets, strict=True)]
        for origin, (inputs, targets) in zip(origins, rows, strict=True):
            expected = values[origin - 6 : origin + ahead].copy()
            if known:
                expected[6:, :3] = 0
            np.testing.assert_array_equal(inputs.numpy(), expected)
            np.testing.assert_array_equal(targets.numpy(), values[origin : origin + 3, :2])
    assert (card["input_size"], card["known"], card["targets"]) == (values.shape[1], 3 if known else 0, ["one", "two"])
    np.testing.assert_allclose(card["standardize"]["mean"], values[:60].mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(card["standardize"]["std"], values[:60].std(0), rtol=1e-5)


def test_every_training_window_is_drawn_once_an_epoch_in_an_order_of_seed_and_epoch(tmp_path: Path) -> None:
    processed(corpus(), tmp_path, table())
    windows = WindowModule(tmp_path / "processed", batch_size=4).dataset("train")
    orders = [windows.order(seed, epoch) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert all(sorted(row for rows in order for row in rows) == list(range(52)) for order in orders)
    assert orders[0] == orders[1] and orders[0] != orders[2] and orders[0] != orders[3]


def test_without_borders_the_splits_are_those_of_the_data_set(tmp_path: Path) -> None:
    columns = {split: table(rows)["train"] for split, rows in zip(SPLITS, (60, 20, 30), strict=True)}
    card, arrays = processed(corpus(borders=None), tmp_path, columns)
    assert [len(arrays[split]["inputs"]) for split in SPLITS] == [60, 20, 30]
    assert [card["splits"][split]["windows"] for split in SPLITS] == [52, 12, 22]


def test_baselines_are_those_of_plain_loops(tmp_path: Path) -> None:
    columns = table()
    card, _ = processed(corpus(), tmp_path, columns)
    values = np.array([columns["train"][name] for name in ("one", "two")], dtype=np.float32).T.astype(np.float64)
    error = [np.abs(values[row] - values[row - 4]) for row in range(4, 60)]
    np.testing.assert_allclose(card["seasonal_errors"], np.mean(error, 0), rtol=1e-6)
    values = (values - values[:60].mean(0)) / values[:60].std(0)
    last, seasonal = [], []
    for origin in range(80, 108):
        for step in range(3):
            last.append(values[origin + step] - values[origin - 1])
            seasonal.append(values[origin + step] - values[origin - 4 + step % 4])
    references = card["references"]
    assert references["last_value_mse"] == pytest.approx(np.square(last).mean(), rel=1e-5)
    assert references["last_value_mae"] == pytest.approx(np.abs(last).mean(), rel=1e-5)
    assert references["seasonal_naive_mse"] == pytest.approx(np.square(seasonal).mean(), rel=1e-5)
    assert references["linear_mse"] == pytest.approx(min(linear(values, penalty) for penalty in [best(values)]), rel=1e-4)


def best(values: np.ndarray) -> float:
    penalties = [0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0]
    return min(penalties, key=lambda penalty: linear(values, penalty, range(60, 78)))


def linear(values: np.ndarray, penalty: float, origins: range = range(80, 108)) -> float:
    """The error of ridge regression of each series on its last six values, less the last; no penalty on the constant."""
    off = []
    for series in values.T:
        inputs = np.array([[*(series[at - 6 : at] - series[at - 1]), 1.0] for at in range(6, 58)])
        targets = np.array([series[at : at + 3] - series[at - 1] for at in range(6, 58)])
        rows = np.vstack([inputs, np.sqrt(penalty) * np.eye(7)[:6]])
        weights = np.linalg.lstsq(rows, np.vstack([targets, np.zeros((6, 3))]), rcond=None)[0]
        for at in origins:
            off.append(
                np.array([*(series[at - 6 : at] - series[at - 1]), 1.0]) @ weights + series[at - 1] - series[at : at + 3]
            )
    return float(np.square(off).mean())


def test_the_calendar_is_where_a_date_is_in_its_cycles() -> None:
    moments = [START + datetime.timedelta(hours=7 * count) for count in range(500)]
    numbers = calendar_of(read_dates([str(moment) for moment in moments]), list(CYCLES))
    for moment, row in zip(moments, numbers, strict=True):
        places = [moment.minute / 60, moment.hour / 24, moment.weekday() / 7, (moment.month - 1) / 12]
        places.append((moment.timetuple().tm_yday - 1) / 366)
        angles = 2 * np.pi * np.array(places)
        np.testing.assert_allclose(row, np.stack([np.sin(angles), np.cos(angles)], 1).ravel(), atol=1e-6)


FORMS = ["2024-03", "2024-03-05", "2024-03-05 07", "2024-03-05T07:08", "2024-03-05 07:08:09", " 2024-03-05 07:08:09.000 "]


@pytest.mark.parametrize("text", FORMS)
def test_dates_are_read_in_the_forms_of_iso_8601(text: str) -> None:
    date = datetime.datetime.fromisoformat("2024-03-01" if text == "2024-03" else text.strip())
    assert read_dates([text]).tolist() == [date]


NO_DATES = ["20230101", "2023010100", "20230101T0500", "2023", "7", "1672531200", "1672531200.0", "-5", "now", "today"]
NO_DATES += ["2023-01-31 05:00:00+02:00", "2023-01-31T05:00:00Z", "2023-01-31T05:00:00-0500", "31.01.2023", "2023-02-30"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_with_separators_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^row 1 has the date '[^\n]*': every date must be as [^\n]*$") as error:
        read_dates(["2000-01-01", text])
    assert repr(text) in str(error.value)


def test_numbers_in_the_column_of_dates_are_refused(tmp_path: Path) -> None:
    columns = table()
    columns["train"]["date"] = [20230101 + row for row in range(120)]
    with pytest.raises(CorpusError, match=r"^row 0 of .*train\.parquet has the date '20230101': every date must be"):
        processed(corpus(calendar=["hour"]), tmp_path, columns)


def test_gaps_in_time_are_told_and_counted_on_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    even, arrays = processed(corpus(), tmp_path / "even", table())
    assert even["spacing"] == {"width": "3600 seconds", "uneven": {"train": 0, "validation": 0, "test": 0}}
    assert not capsys.readouterr().err
    columns = table()
    gaps = [5 * (row >= 30) + 48 * (row >= 50) + (row >= 90) for row in range(120)]
    columns["train"]["date"] = [str(START + datetime.timedelta(hours=row + gap)) for row, gap in enumerate(gaps)]
    card, same = processed(corpus(), tmp_path / "gaps", columns)
    assert card["spacing"] == {"width": "3600 seconds", "uneven": {"train": 2, "validation": 0, "test": 1}}
    usual, first = "steps are not the usual 3600 seconds, the first from", "2024-03-01 03:00:00 to 2024-03-01 09:00:00"
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"preprocess: the train split has gaps in time: 2 of 59 {usual} {first}"
    assert len(lines) == 2 and lines[1].startswith(f"preprocess: the test split has gaps in time: 1 of 35 {usual}")
    assert all((arrays[split]["inputs"] == same[split]["inputs"]).all() for split in SPLITS)
    assert "spacing" not in processed(corpus(date=None), tmp_path / "none", table())[0]


def test_another_width_in_another_split_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {split: table(30)["train"] for split in SPLITS}
    columns["test"]["date"] = [str(START + datetime.timedelta(minutes=15 * row)) for row in range(30)]
    card, _ = processed(corpus(borders=None), tmp_path, columns)
    assert card["spacing"]["uneven"] == {"train": 0, "validation": 0, "test": 29}
    assert "the test split has gaps in time: 29 of 29 steps are not the usual 3600 seconds" in capsys.readouterr().err


MONTHS = [
    (["2023-12-01", "2024-01-01", "2024-02-01"], "1 months", ["2024-03-01", "2024-04-01"]),
    (["2023-12-31", "2024-01-31", "2024-02-29"], "1 months", ["2024-03-31", "2024-04-30"]),
    (["2022-12-28 05:00", "2023-01-28 05:00", "2023-02-28 05:00"], "1 months", ["2023-03-28 05:00", "2023-04-28 05:00"]),
    (["2020-01-01", "2021-01-01", "2022-01-01"], "12 months", ["2023-01-01", "2024-01-01"]),
    (["2024-02-27", "2024-02-28", "2024-02-29"], "86400 seconds", ["2024-03-01", "2024-03-02"]),
]


@pytest.mark.parametrize(("texts", "width", "after"), MONTHS)
def test_months_are_even_steps(texts: list[str], width: str, after: list[str]) -> None:
    dates = read_dates(texts)
    usual = usual_width(steps_of(dates))
    assert str(usual) == width and uneven_steps(dates, usual) == (0, "")
    np.testing.assert_array_equal(dates_after(dates, usual, 2), read_dates(after))


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    cards = [processed(corpus(), tmp_path / name, table())[0] for name in ("one", "other")]
    assert cards[0]["sha256"] == cards[1]["sha256"]


BAD_TABLES: list[tuple[str, int, Any, str]] = [
    ("two", 7, None, "row 7 of FILE has None in 'two': give it a finite number"),
    ("one", 100, float("inf"), "row 100 of FILE has inf in 'one': give it a finite number"),
    ("date", 5, "2024-13-01", "row 5 of FILE has the date '2024-13-01': every date must be as 2023-01-31 05:00:00"),
    ("date", 5, None, "the date of row 5 of FILE is missing"),
    ("date", 5, str(START), "dates must ascend: row 5 of FILE has"),
]


@pytest.mark.parametrize(("column", "row", "value", "words"), BAD_TABLES)
def test_a_bad_value_is_named_with_its_row(tmp_path: Path, column: str, row: int, value: Any, words: str) -> None:
    columns = table()
    columns["train"][column][row] = value
    with pytest.raises(CorpusError, match=words.replace("FILE", "\\S*train.parquet")):
        processed(corpus(), tmp_path, columns)


def test_text_among_numbers_is_named_with_its_row(tmp_path: Path) -> None:
    columns = table()
    columns["train"]["two"] = [*map(str, columns["train"]["two"][:9]), "n/a", *map(str, columns["train"]["two"][10:])]
    with pytest.raises(CorpusError, match="has 'n/a' in 'two': give it a finite number, or leave the column out"):
        processed(corpus(), tmp_path, columns)


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"borders": {"train": [0, 60], "validation": [50, 80], "test": [80, 110]}}, "borders must be .* in time"),
    ({"borders": {**BORDERS, "train": [-9, 60]}}, "borders must be .* in rows from 0 on"),
    ({"borders": {"train": [0, 60]}}, "borders must be .* for train, validation and test"),
    ({"borders": {**BORDERS, "test": [80, 130]}}, "borders.test ends at row 130, but .* has 120 rows"),
    ({"borders": {**BORDERS, "test": [80, 82]}}, r"the test split has 8 steps: a window takes 6 \+ 3"),
    ({"season": 7}, "a season of 7 steps must lie in the context of 6"),
    ({"horizon": 0}, "horizon must be 1 step or more, not 0"),
    ({"calendar": ["decade"]}, "calendar must be of .*, not 'decade'"),
    ({"calendar": ["hour"], "date": None}, "calendar is read from a column of dates"),
    ({"held_out": {"share": 0.1, "seed": 1}}, "held_out would draw rows of a series at random.*: cut .* by borders, such as"),
    ({"borders": None}, "no split 'validation'; it has train: cut the series in time by borders, such as .* or by splits"),
    ({"targets": []}, "targets must name one column or more"),
    ({"targets": ["one", "one"]}, "and once; 'one' is named more than once"),
    ({"known": ["one"]}, "a column is one of targets, past and known, and once; 'one'"),
    ({"targets": ["three"]}, "has no column 'three'"),
]


@pytest.mark.parametrize(("settings", "words"), BAD_SETTINGS, ids=str)
def test_bad_settings_are_refused_in_a_line(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        processed(corpus(**settings), tmp_path, table())


def test_a_corpus_without_windows_is_no_series(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", inputs=np.zeros((9, 2), np.float32))
    with pytest.raises(ValueError, match="is no series with windows: preprocess a corpus of Forecasting"):
        WindowModule(tmp_path, batch_size=2).dataset("train")
