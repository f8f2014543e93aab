"""Weights of classes: the loss of a training by hand, no other loss and no metric, and the balanced ones by their formula."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_folders import trained_in
from torch import Tensor

from pipelines.settings.compose import compose
from pipelines.training.building import build_system
from rnn_lightning import IGNORED, Batch, FrameClassifier, SequenceClassifier, System, Tagger
from rnn_lightning.files import read_json
from rnn_lightning.models.checkpoints import read_checkpoint
from rnn_lightning.models.class_weights import balanced_weights

GRU = {"cell": "gru", "hidden_size": 4}
WEIGHTS = [0.5, 0.0, 3.0]
LENGTHS = torch.tensor([5, 2, 4])


def build(name: str, weights: list[float] | None) -> System:
    torch.manual_seed(0)
    if name == "tagger":
        return Tagger(9, 3, GRU, embedding_size=4, class_weights=weights)
    if name == "frames":
        return FrameClassifier(GRU, 2, ["a", "b", "c"], class_weights=weights)
    return SequenceClassifier(GRU, 2, num_classes=3, class_weights=weights)


def batch_of(name: str) -> Batch:
    draws = torch.Generator().manual_seed(1)
    inputs = torch.randint(9, (3, 5), generator=draws) if name == "tagger" else torch.randn(3, 5, 2, generator=draws)
    if name == "class":
        return Batch(inputs, LENGTHS, torch.tensor([2, 0, 1]))
    targets = torch.randint(3, (3, 5), generator=draws).masked_fill(torch.arange(5) >= LENGTHS.unsqueeze(1), IGNORED)
    return Batch(inputs, LENGTHS, targets)


def by_hand(scores: Tensor, targets: Tensor, weights: list[float]) -> float:
    """The mean of the weighted cross entropies, target by target, in double precision."""
    rows = zip(scores.detach().double().flatten(0, -2).numpy(), targets.flatten().tolist(), strict=True)
    losses = [weights[target] * (np.log(np.exp(row).sum()) - row[target]) for row, target in rows if target != IGNORED]
    return float(np.mean(losses))


@pytest.mark.parametrize("name", ["class", "frames", "tagger"])
def test_the_loss_of_a_training_is_weighted_and_nothing_else(name: str) -> None:
    weighted, plain, batch = build(name, WEIGHTS), build(name, None), batch_of(name)
    scores, _ = plain(batch.inputs, batch.lengths)
    loss, count = weighted.loss_on(batch, "train")
    assert loss.item() == pytest.approx(by_hand(scores, batch.targets, WEIGHTS), rel=1e-5)
    assert plain.loss_on(batch, "train")[0].item() == pytest.approx(by_hand(scores, batch.targets, [1.0] * 3), rel=1e-5)
    measured, plainly = weighted.loss_on(batch, "val"), plain.loss_on(batch, "val")
    assert torch.equal(measured[0], plainly[0]) and measured[1] == plainly[1] == count
    for one, other in zip(weighted.metrics_of("val").values(), plain.metrics_of("val").values(), strict=True):
        if one.update_called:
            torch.testing.assert_close(one.compute(), other.compute(), equal_nan=True)
    assert weighted.state_dict().keys() == plain.state_dict().keys() and weighted.hparams["class_weights"] == WEIGHTS


def test_the_loss_of_rows_together_is_that_of_their_parts() -> None:
    system, batch = build("class", WEIGHTS).double(), batch_of("class")
    batch = batch._replace(inputs=batch.inputs.double())
    whole, _ = system.loss_on(batch, "train")
    parts = [Batch(batch.inputs[rows], LENGTHS[rows], batch.targets[rows]) for rows in (slice(0, 1), slice(1, 3))]
    losses = [system.loss_on(part, "train") for part in parts]
    assert whole.item() == pytest.approx(sum(loss.item() * count for loss, count in losses) / 3)


def test_balanced_weights_are_those_of_the_formula() -> None:
    draws = np.random.default_rng(0)
    targets = draws.choice(5, 1000, p=[0.7, 0.2, 0.06, 0.04, 0.0])
    counts = Counter(targets.tolist())
    right = [1000 / (4 * counts[c]) if counts[c] else 0.0 for c in range(5)]
    parts = [targets[:300], np.full(7, IGNORED), targets[300:]]
    weights = balanced_weights(parts, 5)
    assert weights == pytest.approx(right)
    assert sum(weights[target] for target in targets) == pytest.approx(1000)  # so that the learning rate means the same
    for bad in ([np.array([5])], [np.array([-1])], []):
        with pytest.raises(ValueError, match=r"targets must be classes from 0 to 4|there is no target"):
            balanced_weights(bad, 5)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0, 2.0], r"class_weights must be a list of 3 numbers, one a class, not \[1.0, 2.0\]"),
        ("balanced", "class_weights must be a list of 3 numbers"),
        ([1.0, -1.0, 1.0], r"class_weights\[1\] must be"),
        ([0.0, 0.0, 0.0], "one that is above 0"),
    ],
)
def test_other_weights_are_refused(weights: Any, said: str) -> None:
    for name in ("class", "frames", "tagger"):
        with pytest.raises(ValueError, match=said):
            build(name, weights)


def test_where_there_are_no_single_classes_there_are_no_weights() -> None:
    with pytest.raises(ValueError, match="class_weights need output='softmax'"):
        Tagger(9, 3, GRU, output="crf", class_weights=WEIGHTS)
    with pytest.raises(ValueError, match="class_weights are of classes: give num_classes"):
        SequenceClassifier(GRU, 2, class_weights=WEIGHTS)
    words = ["task=adding", "task.model.class_weights=balanced", "task.parameters=null", "task.rnn.hidden_size=4"]
    with pytest.raises(ValueError, match="the corpus has no classes"):
        build_system(compose(words), {}, planned=1)


def test_a_training_balances_its_classes_and_records_the_weights(tmp_path: Path) -> None:
    with trained_in(tmp_path, "task.model.class_weights=balanced", task="foresight") as folder:
        weights = read_json(folder / "training.json")["class_weights"]
        kept = read_checkpoint(folder / "model.ckpt")["hyper_parameters"]["class_weights"]
        again = Tagger.load_from_checkpoint(folder / "model.ckpt")
        targets = np.load(tmp_path / "data/processed/foresight/train.npz")["targets"].tolist()
    counts = Counter(targets)
    right = [len(targets) / (len(counts) * counts[tag]) if counts[tag] else 0.0 for tag in range(len(weights))]
    assert weights == kept == pytest.approx(right)
    assert again.class_weights is not None and again.class_weights.tolist() == pytest.approx(right)
