"""The framewise classifier: its laws with every cell, what it may see of the frames to come, and what it refuses."""

import math
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from often import mixed
from torch import Tensor

from rnn_lightning import IGNORED, Batch, FrameClassifier, PairModule, check_invariance
from rnn_lightning.recurrent import CELLS

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
AHEAD = [{}, {"splice": 2}, {"delay": 3}, {"splice": 1, "delay": 1}]


def build(cell: str = "lstm", *, ways: int = 1, **more: Any) -> FrameClassifier:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": 4, "num_layers": 2, "bidirectional": ways == 2}
    standardize = {"mean": [0.5, -1.0, 2.0], "std": [1.0, 2.0, 0.5]}
    return FrameClassifier(rnn, 3, ["a", "b", "c", "d"], standardize=standardize, **more)


def draw(rows: int = 5, steps: int = 9, seed: int = 1) -> Tensor:
    return torch.randn(rows, steps, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("cell", "ways", "ahead"), mixed([*CELLS], [1, 2], AHEAD), ids=str)
def test_a_frame_classifier_keeps_the_laws(cell: str, ways: int, ahead: dict[str, int]) -> None:
    gaps = check_invariance(build(cell, ways=ways, dropout=0.5, **ahead), inputs=draw(), lengths=torch.tensor([9, 0, 4, 7, 1]))
    assert ("two goes read as one" in gaps) == (ways == 1 and not ahead)


@pytest.mark.parametrize(("cell", "ahead"), mixed([*CELLS], AHEAD), ids=str)
def test_it_sees_as_far_ahead_as_it_is_told(cell: str, ahead: dict[str, int]) -> None:
    model, inputs = build(cell, **ahead).double().eval(), draw(1, 12).double()
    reach = sum(ahead.values())
    changed = inputs.clone()
    changed[:, 8] += 1
    same = (model(inputs)[0] == model(changed)[0]).all(2)[0]
    first = same.tolist().index(False)
    assert first >= 8 - reach
    if cell != "feedforward" or not ahead.get("delay"):
        assert first == 8 - reach


def test_a_perceptron_sees_its_window_and_no_more() -> None:
    model, inputs = build("feedforward", splice=2).double().eval(), draw(1, 12).double()
    changed = inputs.clone()
    changed[:, 6] += 1
    different = (model(inputs)[0] != model(changed)[0]).any(2)[0].nonzero().flatten().tolist()
    assert different == [4, 5, 6, 7, 8]


def test_a_delay_is_the_network_read_later() -> None:
    model, inputs = build("gru", delay=2).double().eval(), draw(2, 6).double()
    found, _ = model(inputs)
    later = torch.cat([model.standardize(inputs), torch.zeros(2, 2, 3, dtype=torch.float64)], 1)
    hidden, _ = model.network(later)
    torch.testing.assert_close(found, model.output(hidden)[:, 2:])


def write_signals(folder: Path, rows: int = 30) -> Path:
    """The class of a frame is that of the larger of its first two features; the third says nothing."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        offsets = np.concatenate([[0], draws.integers(0, 9, rows).cumsum()]).astype(np.int64)
        inputs = draws.normal(size=(offsets[-1], 3)).astype(np.float32)
        targets = (inputs[:, 1] > inputs[:, 0]).astype(np.int32)
        np.savez(folder / f"{split}.npz", inputs=inputs, input_offsets=offsets, targets=targets, target_offsets=offsets)
    return folder


@pytest.mark.parametrize("more", [{}, {"splice": 1}, {"delay": 1}], ids=str)
def test_it_learns_counts_every_frame_alike_and_comes_back(more: dict[str, int], tmp_path: Path) -> None:
    model = build(**more, optimizer={"name": "adam", "lr": 0.02})
    data = PairModule(write_signals(tmp_path), batch_size=10, epochs=40)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, num_sanity_val_steps=0, **QUIET)
    trainer.fit(model, data)
    (scores,) = trainer.test(model, data, verbose=False)
    hits = [
        (model.classify(batch.inputs, batch.lengths) == batch.targets)[batch.targets != IGNORED]
        for batch in data.test_dataloader()
    ]
    assert scores["test/accuracy"] == pytest.approx(torch.cat(hits).float().mean().item())
    assert scores["test/accuracy"] > 0.7  # half of the frames are of either class
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = FrameClassifier.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert torch.equal(model.eval()(draw())[0], again.eval()(draw())[0])


REFUSED = {
    "one class": (
        lambda: FrameClassifier({"cell": "gru", "hidden_size": 4}, 3, ["a"]),
        "classes must be .* at least 2 names",
    ),
    "twice": (lambda: FrameClassifier({"cell": "gru", "hidden_size": 4}, 3, ["a", "a"]), "classes must be .* all different"),
    "splice": (lambda: build(splice=-1), "splice must be a whole number of at least 0, not -1"),
    "width": (lambda: build()(torch.zeros(1, 4, 2)), r"inputs must be floats of shape \(B, T, 3\)"),
    "NaN": (lambda: build()(torch.full((2, 4, 3), math.nan)), "the input at row 0, step 0 is nan; features must be finite"),
    "lengths": (lambda: build()(draw(2, 4), torch.tensor([5, 1])), r"lengths\[0\] is 5"),
    "state": (lambda: build(delay=1)(draw(), None, build()(draw())[1]), "splice 0 and delay 1 a row must be read in one go"),
    "targets": (
        lambda: build().loss_on(Batch(draw(1, 4), None, torch.zeros(1, 3).long()), "train"),
        "targets must be one a frame",
    ),
    "class": (lambda: build().loss_on(Batch(draw(1, 2), None, torch.tensor([[1, 4]])), "train"), "target 4 in row 0, step 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_by_name(name: str) -> None:
    action, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        action()
