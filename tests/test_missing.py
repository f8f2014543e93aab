"""Missing and too large numbers of series: refused with their line, or by a setting the last before them, and counted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet, table

from rnn_lightning.corpora import CorpusError, Forecasting, LabelledText, Series
from rnn_lightning.items.series import SeriesInputs

BORDERS = {"train": [0, 20], "validation": [20, 30], "test": [30, 40]}
WINDOW: dict[str, Any] = {"targets": ["load"], "known": ["price"], "context": 4, "horizon": 2, "season": 2, "borders": BORDERS}
GAPS = {3, 4, 25}


def write_csv(file: Path, *, first: str = "0.0") -> Path:
    rows = [f"{'' if row in GAPS else float(row)},{row % 3}" for row in range(40)]
    file.write_text("\n".join(["load,price", f"{first},0", *rows[1:]]) + "\n")
    return file


def made(tmp_path: Path, **more: Any) -> dict[str, Any]:
    corpus = Forecasting(files=str(write_csv(tmp_path / "load.csv")), **WINDOW, **more)
    corpus.fetch(tmp_path / "raw")
    corpus.preprocess(tmp_path / "raw", tmp_path / "processed")
    return json.loads((tmp_path / "processed/card.json").read_text())


def test_a_missing_number_is_refused_with_its_line_and_the_setting(tmp_path: Path) -> None:
    said = (
        r"load.csv:5: '' in column 'load' is no number: give it a number, or set corpus.missing to last, which takes the last"
    )
    with pytest.raises(CorpusError, match=said):
        made(tmp_path)
    with pytest.raises(ValueError, match=r"missing must be last, .*, or null, not 'zero'"):
        made(tmp_path, missing="zero")


def test_the_last_number_is_carried_forward_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = made(tmp_path, missing="last")
    assert card["missing"] == {"load": 3, "price": 0}
    assert capsys.readouterr().err.splitlines()[-1] == "preprocess: missing numbers are the last before them: 3 in 'load'"
    load = np.load(tmp_path / "processed/train.npz")["inputs"][:, 0]
    assert load[:6].tolist() == [0, 1, 2, 2, 2, 5]
    validation = np.load(tmp_path / "processed/validation.npz")["inputs"][:, 0]
    assert validation[4 + 25 - 20] == 24


def test_a_series_that_begins_without_a_number_is_refused(tmp_path: Path) -> None:
    corpus = Forecasting(files=str(write_csv(tmp_path / "load.csv", first="")), **WINDOW, missing="last")
    corpus.fetch(tmp_path / "raw")
    with pytest.raises(CorpusError, match=r"^.*load\.csv:2 has (nan|None) in 'load': give it a finite number"):
        corpus.preprocess(tmp_path / "raw", tmp_path / "processed")


def test_a_forecast_carries_forward_as_its_corpus_did() -> None:
    inputs = Forecasting(files="load.csv", **WINDOW, missing="last").inputs()
    assert "missing" not in Forecasting(files="load.csv", **WINDOW).inputs()
    columns = {name: inputs[name] for name in ("targets", "past", "known", "date", "calendar", "missing")}
    read = SeriesInputs(2, columns, context=4, horizon=2).encode({"load": [7, 1, None, 3, "", None, ""], "price": [0] * 7})
    assert read.steps[:4, 0].tolist() == [7, 1, 1, 3]


@pytest.mark.parametrize("name", ["one.csv", "one.jsonl"])
def test_a_number_beyond_single_precision_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    rows = [[1.0, 2.0], [1.0, 1e300], [0.0, 0.0]]
    cells = (
        [json.dumps({"s": row, "y": "a"}) for row in rows] if name.endswith("l") else [f"{one},{two},a" for one, two in rows]
    )
    (tmp_path / name).write_text("\n".join([*([] if name.endswith("l") else ["p,q,y"]), *cells]) + "\n")
    corpus = Series(files=str(tmp_path / name), sequence="s" if name.endswith("l") else ["p", "q"], label="y")
    line = 2 if name.endswith("l") else 3
    with pytest.raises(
        CorpusError, match=rf"{name}:{line}: '?1e\+?300'? in column '[sq]' is beyond 3.4e38, the largest number"
    ):
        corpus.fetch(tmp_path / "raw")


def test_booleans_are_classes(tmp_path: Path) -> None:
    rows = {"text": [f"text {row}" for row in range(30)], "right": [row % 3 == 0 for row in range(30)]}
    parquet.write_table(table(rows), tmp_path / "one.parquet")
    lines = [json.dumps({"text": text, "right": right}) for text, right in zip(rows["text"], rows["right"], strict=True)]
    (tmp_path / "one.jsonl").write_text("\n".join(lines) + "\n")
    for name in ("one.parquet", "one.jsonl"):
        held_out = {"share": 0.2, "test": 0.2, "seed": 1}
        corpus = LabelledText(files=str(tmp_path / name), text="text", label="right", level="word", held_out=held_out)
        folder = tmp_path / Path(name).suffix
        folder.mkdir()
        corpus.fetch(folder / "raw")
        corpus.preprocess(folder / "raw", folder / "processed")
        assert json.loads((folder / "processed/card.json").read_text())["classes"] == ["false", "true"]
