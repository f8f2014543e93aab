"""Series with several numbers each: what is written of them, and how they are learnt."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_files import write_bodies

from rnn_lightning import PairModule, SequenceRegressor
from rnn_lightning.corpora import Series
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
