"""Real numbers for sequences and steps: the laws with every cell, formulas of losses and scales, and a run by all stages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from corpora import write_pairs
from run_folders import run_by_stages
from torch import Tensor

from rnn_lightning import Batch, PairModule, SequenceRegressor, check_invariance, load_predictor
from rnn_lightning.files import read_json
from rnn_lightning.forecast_metrics import pinball
from rnn_lightning.recurrent import CELLS

LENGTHS = torch.tensor([6, 1, 4, 3])
QUANTILES = [0.1, 0.5, 0.9]
SCALE = {"mean": [3.0, -1.0], "std": [2.0, 0.5]}
QUIET: Any = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def model(cell: str = "gru", **more: Any) -> SequenceRegressor:
    torch.manual_seed(0)
    settings = {"targets": ["a", "b"], "standardize_targets": SCALE, **more}
    return SequenceRegressor({"cell": cell, "hidden_size": 4}, 3, **settings).eval()


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("more", [{}, {"every_step": True}, {"every_step": True, "quantiles": QUANTILES}], ids=str)
def test_a_regressor_keeps_the_laws(cell: str, more: dict[str, Any]) -> None:
    check_invariance(model(cell, **more), inputs=draw(4, 6, 3), lengths=LENGTHS)


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber"])
@pytest.mark.parametrize("every_step", [False, True])
def test_the_loss_is_of_standardised_values_of_real_steps(loss: str, every_step: bool) -> None:
    system = model(loss=loss, every_step=every_step)
    inputs, targets = draw(4, 6, 3), 3 * draw(4, 6, 2) if every_step else 3 * draw(4, 2)
    targets[2] = torch.nan if not every_step else targets[2]
    found, count = system.loss_on(Batch(inputs, LENGTHS, targets), "test")
    answers = system(inputs, LENGTHS)[0].detach().numpy()
    off = []
    for row, length in enumerate(LENGTHS.tolist()):
        for step in range(length) if every_step else [...]:
            place = (row, step) if every_step else row
            right = (targets.numpy()[place] - [3.0, -1.0]) / [2.0, 0.5]
            off += [] if np.isnan(right).any() else [answers[place] - right]
    error = np.concatenate(off)
    costs = {"squared": error**2, "absolute": abs(error)}
    costs["huber"] = np.where(abs(error) < 1, error**2 / 2, abs(error) - 0.5)
    assert float(found.detach()) == pytest.approx(costs[loss].mean(), rel=1e-5) and count == len(error)
    assert float(system.metric("test", "rmse").compute()) == pytest.approx((error**2).mean() ** 0.5, rel=1e-5)


def test_answers_are_in_the_units_of_the_targets() -> None:
    for more in ({}, {"quantiles": QUANTILES}, {"every_step": True, "quantiles": QUANTILES}):
        system, inputs = model(**more), draw(4, 6, 3)
        values, units = system(inputs, LENGTHS)[0], system.regress(inputs, LENGTHS)
        shape = (2, 1) if "quantiles" in more else (2,)
        torch.testing.assert_close(units, values * torch.tensor([2.0, 0.5]).view(shape) + torch.tensor([3.0, -1.0]).view(shape))
        torch.testing.assert_close(system.predict_on(Batch(inputs, LENGTHS, inputs)), units)


def test_quantiles_ascend_and_have_the_pinball_loss() -> None:
    system, inputs, targets = model(quantiles=QUANTILES), draw(4, 6, 3), draw(4, 2)
    values = system(inputs, LENGTHS)[0]
    assert bool((values.diff(dim=2) >= 0).all())
    loss, _ = system.loss_on(Batch(inputs, LENGTHS, targets), "val")
    torch.testing.assert_close(loss, pinball(values, system.of_targets(targets), QUANTILES))


def test_a_batch_without_targets_that_count_costs_nothing() -> None:
    loss, count = model().loss_on(Batch(draw(4, 6, 3), LENGTHS, torch.full((4, 2), torch.nan)), "train")
    assert (loss.item(), count) == (0.0, 0)
    loss.backward()


def test_one_target_a_row_may_lack_its_dimension(tmp_path: Path) -> None:
    lightning.seed_everything(1, verbose=False)
    data = PairModule(write_pairs(tmp_path), batch_size=10, epochs=30)
    system = SequenceRegressor({"cell": "gru", "hidden_size": 8}, 2, optimizer={"name": "adam", "lr": 0.02})
    trainer = lightning.Trainer(**QUIET, accelerator="cpu", max_epochs=1)
    trainer.fit(system, data)
    (metrics,) = trainer.test(system, data, verbose=False)
    assert metrics["test/mse"] < 0.3 * float(np.var(data.arrays("test")["targets"]))


REFUSED: list[tuple[dict[str, Any], Tensor, str]] = [
    ({}, torch.zeros(4), r"targets must have shape \(4, 2\), not \(4,\)"),
    ({"every_step": True}, torch.zeros(4, 2), r"targets must have shape \(4, 6, 2\), not \(4, 2\)"),
    ({}, torch.zeros(4, 2, dtype=torch.int64), "targets must be finite floats"),
    ({}, torch.full((4, 2), torch.inf), "targets must be finite floats"),
]


@pytest.mark.parametrize(("more", "targets", "words"), REFUSED)
def test_other_targets_are_refused(more: dict[str, Any], targets: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        model(**more).loss_on(Batch(draw(4, 6, 3), LENGTHS, targets), "train")


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="standardize is for features"):
        model(vocab_size=5, standardize={"mean": [0.0] * 3, "std": [1.0] * 3})
    with pytest.raises(ValueError, match="targets must be a list of at least 1 names"):
        model(targets=[])


ADDING = ["task=adding_quantiles", "rnn=gru", "task.corpus.rows={train: 300, validation: 40, test: 50}", "task.corpus.steps=6"]
ADDING += ["task.training.epochs=2", "task.training.validate_every=null", "task.parameters=null", "+task.rnn.hidden_size=8"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with run_by_stages(tmp_path_factory.mktemp("place"), ADDING) as folder:
        yield folder


def test_a_run_leaves_its_values_and_answers_arrays(run: Path) -> None:
    metrics, lines = read_json(run / "metrics.json"), (run / "values.txt").read_text().splitlines()
    right, found = (
        [[float(word) for word in side.split(" ")] for side in sides]
        for sides in zip(*(line.split("\t") for line in lines), strict=True)
    )
    off = np.array(found)[:, 1] - np.array(right)[:, 0]
    assert metrics["test/mse"] == pytest.approx(np.square(off).mean(), rel=1e-3)
    assert metrics["test/rmse"] == pytest.approx(metrics["test/mse"] ** 0.5, rel=1e-4)
    arrays = np.load(run.parents[3] / "data/processed/adding_quantiles/test.npz")
    item = arrays["inputs"][:6]
    (one, other) = load_predictor(run)([item, json.dumps(item.tolist())])
    assert [*one["quantiles"]["value"].values()] == pytest.approx(found[0], rel=1e-3, abs=1e-4)
    assert one["values"]["value"] == one["quantiles"]["value"]["0.5"] and one == other


def test_answers_of_every_step_end_with_the_item(tmp_path: Path) -> None:
    from rnn_lightning.items.inputs import ArrayInputs
    from rnn_lightning.predictors.values import ValuePredictor

    system = model(every_step=True)
    items = [draw(6, 3).numpy(), draw(2, 3).numpy()]
    answers = ValuePredictor(system, ArrayInputs(3), batch_size=2)(items)
    for item, answer in zip(items, answers, strict=True):
        alone = system.regress(torch.from_numpy(item).unsqueeze(0))[0]
        assert np.array(answer["values"]["b"]) == pytest.approx(alone[:, 1].numpy(), rel=1e-5, abs=1e-6)
