"""Forecasts through the stages: what a run leaves, and predictions from CSV files that equal those of the test."""

import csv
import datetime
import io
import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_folders import run_on_tables
from test_forecasting_corpus import START, table

from pipelines.predict import reader
from rnn_lightning import Forecaster, WindowModule, load_predictor
from rnn_lightning.files import read_json, write_json, write_sums
from rnn_lightning.items.series import SeriesInputs
from rnn_lightning.predictors import CHECKPOINT, DESCRIPTION

SMALL = ["rnn=gru", "seed=1", "task.rnn.hidden_size=6", "task.training.epochs=2", "task.training.validate_every=null"]
SMALL += ["task.corpus.targets=[one,two]", "+task.corpus.known=[price]", "task.corpus.calendar=[hour]", "task.corpus.context=8"]
SMALL += ["task.corpus.horizon=4", "task.corpus.season=4", "task.model.segment=2", "+task.model.highway=4"]
SMALL += ["task.corpus.borders={train: [0, 60], validation: [60, 80], test: [80, 110]}", "task.data.batch_size=10"]
QUANTILES = "task.model.quantiles=[0.1, 0.5, 0.9]"


@pytest.fixture(scope="module", params=["etth1_ot_24", "etth1_ot_24_quantiles"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of a small task, in a place of its own."""
    with run_on_tables(tmp_path_factory.mktemp("place"), [f"task={request.param}", *SMALL], lambda _: table()) as run:
        yield run


def processed_of(run: Path) -> Path:
    return run.parents[3] / "data/processed" / run.parents[1].name


def test_a_run_leaves_the_errors_by_step_and_a_picture(run: Path) -> None:
    metrics, card = read_json(run / "metrics.json"), read_json(processed_of(run) / "card.json")
    for name in ("last_value_mse", "seasonal_naive_mse", "linear_mse"):
        assert metrics[f"test/{name}"] == card["references"][name]
    assert metrics["test/rmse"] == pytest.approx(metrics["test/mse"] ** 0.5, rel=1e-4)
    lines = (run / "horizons.md").read_text().splitlines()
    steps = [float(line.split(" | ")[1]) for line in lines[2:6]]
    assert np.mean(steps) == pytest.approx(metrics["test/mse"], abs=1e-4)
    assert lines[6].startswith("| all |") and float(lines[6].split(" | ")[1]) == pytest.approx(metrics["test/mse"], abs=1e-4)
    assert (run / "forecasts.png").stat().st_size > 1000
    assert lines[-1].startswith("Share of values at or below each quantile") == ("test/coverage" in metrics)


def test_the_model_keeps_what_it_scales_by(run: Path) -> None:
    kept = torch.load(run / "model.ckpt", weights_only=True)["hyper_parameters"]
    card = read_json(processed_of(run) / "card.json")
    for name in ("standardize", "seasonal_errors", "targets", "horizon", "known"):
        assert kept[name] == card[name]


def as_file(file: Path, rows: int, *, ahead: int = 4) -> Path:
    """The first ``rows`` of the table as CSV, and as many more of what is known ``ahead``."""
    columns = table()["train"]
    with file.open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(list(columns))
        for row in range(rows + ahead):
            there = {name: values[row] for name, values in columns.items()}
            lines.writerow(list((there | ({"one": "", "two": ""} if row >= rows else {})).values()))
    return file


def test_a_forecast_from_a_file_is_that_of_the_test(run: Path, tmp_path: Path) -> None:
    system = Forecaster.load_from_checkpoint(run / "model.ckpt", weights_only=True).eval()
    data = WindowModule(processed_of(run), batch_size=2)
    forecast = system.forecast(data.dataset("test")[(5,)].inputs)[0].reshape(4, 2, -1)  # of rows 85 to 88
    (answer,) = load_predictor(run)([str(as_file(tmp_path / "past.csv", 85))])
    middle = forecast[:, :, forecast.shape[2] // 2]
    for at, name in enumerate(("one", "two")):
        assert answer["forecast"][name] == pytest.approx(middle[:, at].tolist(), rel=1e-4, abs=1e-5)
        for level, quantile in enumerate(answer.get("quantiles", {}).get(name, {}).values()):
            assert quantile == pytest.approx(forecast[:, at, level].tolist(), rel=1e-4, abs=1e-5)
    assert answer["dates"] == table()["train"]["date"][85:89]


def test_the_command_answers_with_a_row_a_step(run: Path, tmp_path: Path) -> None:
    file = as_file(tmp_path / "past.csv", 85)
    lines = reader({"run": run, "format": "csv"})
    (text,) = lines.answer(io.BytesIO(f"{file}\n".encode()))
    header, *rows = list(csv.reader(io.StringIO(text)))
    assert header[:3] == ["date", "one", "two"] and len(rows) == 4
    (line,) = reader({"run": run, "format": "json"}).answer(io.BytesIO(f"{file}\n".encode()))
    assert [float(row[1]) for row in rows] == pytest.approx(json.loads(line)["forecast"]["one"])
    assert load_predictor(run)([Path(file).read_text()]) == load_predictor(run)([file])
    columns: dict[str, Any] = {name: values[:89] for name, values in table()["train"].items()}
    columns |= {name: [*columns[name][:85], None, None, None, None] for name in ("one", "two")}
    assert load_predictor(run)([columns])[0]["forecast"]["one"] == pytest.approx(json.loads(line)["forecast"]["one"])


def test_dates_alone_need_no_rows_ahead(tmp_path: Path) -> None:
    columns = {"targets": ["one"], "past": ["two"], "date": "date", "calendar": ["hour"]}
    inputs = SeriesInputs(4, columns, context=8, horizon=4)
    short, long = (inputs.encode(str(as_file(tmp_path / f"{ahead}.csv", 20, ahead=ahead))) for ahead in (0, 4))
    assert short.source == long.source and (short.steps == long.steps).all()
    assert short.steps.shape == (12, 4) and not short.steps[8:, :2].any()


BAD_FILES = {
    "date,one,two,price\n": "a forecast reads 8 rows, and only 0 come before those without targets",
    "date,one,price\n2024-01-01,1,2\n": "there is no column 'two', only",
    "date,one,two,price\n2024-01-01,1,2\n": "row 0 has 3 fields, and the header 4",
    "date,one,one,two,price\n2024-01-01,1,2,3,4\n": "the header has the column 'one' more than once",
    "": "it is no CSV with a header: it is empty",
}


@pytest.mark.parametrize("content", BAD_FILES)
def test_a_bad_file_is_named(run: Path, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)
    lines = reader({"run": run, "format": "text"})
    assert list(lines.answer(io.BytesIO(f"{file}\n".encode()))) == [""] and lines.refused == 1
    assert BAD_FILES[content] in capsys.readouterr().err
    with pytest.raises(ValueError, match=BAD_FILES[content]):
        load_predictor(run)([str(file)])


@pytest.mark.parametrize("written", ["many", "1_0", "\u0661\u0662", "1e300"])
def test_what_is_no_number_is_named_with_its_row(run: Path, tmp_path: Path, written: str) -> None:
    file = as_file(tmp_path / "past.csv", 20)
    file.write_text(file.read_text().replace(str(table()["train"]["two"][15]), written))
    with warnings.catch_warnings(action="error"), pytest.raises(ValueError, match=f"row 15 has '{written}' in 'two'"):
        load_predictor(run)([str(file)])


def redated(file: Path, hours: list[float]) -> str:
    """The ``file`` with its rows at these ``hours``."""
    header, *rows = file.read_text().splitlines()
    dates = [str(START + datetime.timedelta(hours=hour)) for hour in hours]
    file.write_text("\n".join([header, *(",".join([d, *row.split(",")[1:]]) for d, row in zip(dates, rows, strict=True))]))
    return str(file)


def test_rows_of_another_width_than_the_training_are_refused(run: Path, tmp_path: Path) -> None:
    file = redated(as_file(tmp_path / "past.csv", 20), [row / 4 for row in range(24)])
    with pytest.raises(ValueError, match="rows are 900 seconds apart, and those of the training 3600 seconds: give rows that"):
        load_predictor(run)([file])


def test_a_run_that_does_not_know_its_width_answers(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    description = read_json(folder / DESCRIPTION)
    assert description.pop("width") == "3600 seconds"
    write_json(folder / DESCRIPTION, description)
    write_sums(folder, [CHECKPOINT, DESCRIPTION])
    file = redated(as_file(tmp_path / "past.csv", 20), [row / 4 for row in range(24)])
    assert len(load_predictor(folder)([file])[0]["dates"]) == 4


def test_gaps_among_the_rows_that_are_read_are_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = as_file(tmp_path / "past.csv", 20)
    load_predictor(run)([redated(file, [row + 7 * (row >= 5) for row in range(24)])])  # before the context of 8
    assert "gaps" not in capsys.readouterr().err
    load_predictor(run)([redated(file, [row + 7 * (row >= 15) for row in range(24)])])
    words = "1 of 11 steps are not the usual 3600 seconds, the first from 2024-02-29 12:00:00 to 2024-02-29 20:00:00"
    assert capsys.readouterr().err == f"warning: the rows of a forecast have gaps in time: {words}\n"


def test_the_dates_after_a_gap_are_of_the_usual_width(tmp_path: Path) -> None:
    columns = {"targets": ["one"], "date": "date", "calendar": ["hour"]}
    file = redated(as_file(tmp_path / "past.csv", 20, ahead=0), [row + 7 * (row == 19) for row in range(20)])
    dates = SeriesInputs(3, columns, context=8, horizon=4).encode(file).source
    assert dates == [str(START + datetime.timedelta(hours=hour)) for hour in range(27, 31)]
