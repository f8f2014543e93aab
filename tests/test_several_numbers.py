"""Series with several numbers each: what is written of them, and how they are learnt."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from own_files import write_bodies

from rnn_lightning import PairModule, SequenceRegressor
from rnn_lightning.corpora import Series
from rnn_lightning.corpora.series import by_series
from rnn_lightning.mapped import map_arrays

STEPS: dict[str, Any] = {"sequence": ["x", "y"], "series": "id", "held_out": {"share": 0.2, "test": 0.2, "seed": 1}}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The card of two numbers a series, and of each alone, whose folders are named after them."""
    monkeypatch.chdir(tmp_path)
    write_bodies(tmp_path)
    names = {"both": ["weight", "height"], "weight": "weight", "height": "height"}
    return {name: Series(files="bodies.csv", value=value, **STEPS).prepare(tmp_path / name) for name, value in names.items()}


def test_each_number_is_that_of_its_column_alone(made: dict[str, Any]) -> None:
    for split in ("train", "validation", "test"):
        both, *alone = (map_arrays(Path(name) / f"processed/{split}.npz")["targets"][:] for name in made)
        np.testing.assert_array_equal(both, np.stack(alone, axis=1))
    assert "targets" not in made["weight"] and made["both"]["targets"] == ["weight", "height"]


def test_they_are_learnt_and_measured_in_standard_deviations(made: dict[str, Any]) -> None:
    card = made["both"]
    targets = {
        split: map_arrays(Path(f"both/processed/{split}.npz"))["targets"][:].astype(np.float64) for split in ("train", "test")
    }
    mean, deviation = targets["train"].mean(0), targets["train"].std(0)
    np.testing.assert_allclose(card["standardize_targets"]["mean"], mean)
    np.testing.assert_allclose(card["standardize_targets"]["std"], deviation)
    told = {name: card[name] for name in ("targets", "standardize_targets", "input_size", "standardize")}
    system = SequenceRegressor({"cell": "gru", "hidden_size": 4}, **told)
    torch.nn.init.zeros_(system.output.weight)
    torch.nn.init.zeros_(system.output.bias)
    data = PairModule("both/processed", batch_size=50, seed=1)
    (batch,) = [data.dataset("test")[rows] for rows in data.dataset("test").as_stored()]
    found = system.regress(batch.inputs, batch.lengths).detach().double()
    torch.testing.assert_close(found, torch.from_numpy(mean).expand_as(found), rtol=1e-5, atol=1e-5)
    loss, _ = system.loss_on(batch, "test")  # of the mean: the reference of the card
    assert float(loss) == pytest.approx(card["references"]["baseline_mean_squared_error"], rel=1e-5)


@pytest.mark.parametrize("value", [["weight"], ["weight", "weight"], []])
def test_names_that_are_not_several_are_refused(value: list[str]) -> None:
    with pytest.raises(ValueError, match="value must name a column, or two and more once each"):
        Series(files="bodies.csv", value=value, **STEPS)


def test_a_row_that_lacks_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bodies(tmp_path)
    lines = Path("bodies.csv").read_text().splitlines()
    Path("bodies.csv").write_text("\n".join([lines[0], *(line.rpartition(",")[0] + "," for line in lines[1:])]) + "\n")
    with pytest.raises(ValueError, match=r"bodies.csv:2: '' in column 'height' is no number"):
        Series(files="bodies.csv", value=["weight", "height"], **STEPS).prepare(tmp_path / "made")


@pytest.mark.parametrize(
    "settings",
    [{"value": "x"}, {"value": ["weight", "y"]}, {"value": "id"}, {"label": "x"}, {"value": "w", "sequence": ["*"]}],
    ids=str,
)
def test_what_is_to_be_told_is_not_read(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is what is to be predicted of a series"):
        Series(files="series.csv", **{**STEPS, **settings})


@pytest.mark.parametrize("value", [3, [1, 2], ["weight", ""]])
def test_what_is_no_name_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="a column is called by its name"):
        Series(files="series.csv", value=value, **STEPS)


@pytest.mark.parametrize("wrong", [1e39, float("nan"), None])
def test_a_number_that_single_precision_does_not_have_is_named(wrong: float | None, tmp_path: Path) -> None:
    rows = {"steps": [[0.5, float(row)] for row in range(20)], "a": [1.0] * 20, "b": [*[2.0] * 19, wrong]}
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "rows.parquet")
    more: dict[str, Any] = {"held_out": STEPS["held_out"], "most_left_out": 0.0}
    for value in ("b", ["a", "b"]):
        corpus = Series(files=str(tmp_path / "rows.parquet"), sequence="steps", value=value, **more)
        with pytest.raises(ValueError, match=r"its value is no number up to 3.4e\+38"):
            corpus.prepare(tmp_path / "made")


def test_a_row_without_one_of_the_numbers_takes_those_of_its_series() -> None:
    places = ["a.csv:2", "a.csv:3", "a.csv:4"]
    assert by_series(["a", "a", "a"], [(None, 1.0), (2.0, 1.0), (float("nan"), 1.0)], places) == {"a": [0, 1, 2]}
    with pytest.raises(ValueError, match=r"^a\.csv:3 has"):
        by_series(["a", "a"], [(2.0, 1.0), (2.0, 3.0)], places)
