"""The task of a series of one's own, to forecast: what is guessed of it, and that it goes through the stages to a forecast."""

import datetime
from pathlib import Path

import pytest
import yaml

from pipelines.evaluate import evaluate
from pipelines.fetch import fetch
from pipelines.new import new
from pipelines.preprocess import preprocess
from pipelines.settings.compose import compose
from pipelines.train import train
from rnn_lightning import load_predictor


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path


def write_load(name: str, rows: int, hours: int) -> None:
    dates = [datetime.datetime(2023, 1, 1) + datetime.timedelta(hours=hours * row) for row in range(rows)]
    lines = [f"{date},{row % 7 + row / 100},{row % 3}" for row, date in enumerate(dates)]
    Path(name).write_text("\n".join(["when,load,wind", *lines]) + "\n")


def test_a_series_of_days_is_forecast_a_week_ahead() -> None:
    write_load("load.csv", 200, 24)
    new(["load", "from=load.csv", "targets=load", "known=[wind]", "date=when", "conf=own"])
    corpus = yaml.safe_load(Path("own/task/load.yaml").read_text())["corpus"]
    assert corpus["targets"] == ["load"] and corpus["known"] == ["wind"] and corpus["held_out"] is None
    assert (corpus["context"], corpus["horizon"], corpus["season"]) == (49, 7, 7)
    assert corpus["borders"] == {"train": [0, 160], "validation": [160, 180], "test": [180, 200]}
    experiment = compose(["task=load", "conf=own", "rnn=gru", "seed=1", "task.rnn.hidden_size=4", "task.training.epochs=1"])
    for stage in (fetch, preprocess, train, evaluate):
        stage(experiment)
    future = {"when": [str(datetime.date(2023, 7, 20) + datetime.timedelta(days=day)) for day in range(7)], "wind": [0] * 7}
    rows = [line.split(",") for line in Path("load.csv").read_text().splitlines()]
    columns = {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}
    item = {name: [*columns[name], *future.get(name, [None] * 7)] for name in columns}
    (answer,) = load_predictor(experiment.run(1))([item])
    assert len(answer["forecast"]["load"]) == 7


BAD = {
    "from=short.csv targets=load date=when": "short.csv has 20 rows: a series that repeats after 24 steps must have 240",
    "from=load.csv targets=lod": "targets=lod: load.csv has no column 'lod'",
    "from=load.csv targets=load date=wind": "row 0 has the date '0': every date must be as 2023-01-31",
    "from=rows.jsonl targets=load": "a series to forecast is a file of CSV, a row a step",
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_forecast_is_refused(words: str) -> None:
    write_load("short.csv", 20, 1)
    write_load("load.csv", 300, 1)
    Path("rows.jsonl").write_text('{"load": 1}\n')
    with pytest.raises(ValueError, match=r"^[^\n]+$") as raised:
        new(["mine", *words.split(), "conf=own"])
    assert BAD[words] in str(raised.value) and not Path("own/task/mine.yaml").exists()
