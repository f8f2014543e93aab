"""What is seen of a training between validations: which steps have points, what they hold, and that nothing else changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from pipelines.training.signals import LOOKS, POINTS, Point, Signals, interval
from rnn_lightning import SequenceClassifier
from rnn_lightning.sequences import Batch


class Seen(Callback):
    """The loss, the gradient's norm before clipping and the learning rate of each step, by a second way."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.largest: list[float] = []
        self.rates: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        squares = [float((weight.grad.double() ** 2).sum()) for weight in pl_module.parameters()]
        self.norms.append(sum(squares) ** 0.5)
        self.largest.append(max(float(weight.grad.abs().max()) for weight in pl_module.parameters()))
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(float(outputs["loss"]))


def trained(folder: Path, *callbacks: Callback, steps: int = 70, clip: float = 0.05, by: str = "norm") -> SequenceClassifier:
    """A system after so many steps on batches of 8 rows, validated after every 30."""
    lightning.seed_everything(3, verbose=False)
    schedule = {"name": "exponential", "gamma": 0.99}
    system = SequenceClassifier(rnn={"cell": "lstm", "hidden_size": 4}, input_size=2, schedule=schedule)
    generator = torch.Generator().manual_seed(1)
    batches = [Batch(torch.rand(8, 5, 2, generator=generator), None, torch.rand(8, generator=generator)) for _ in range(steps)]
    trainer = lightning.Trainer(
        default_root_dir=folder,
        max_epochs=1,
        val_check_interval=30,
        gradient_clip_val=clip or None,
        gradient_clip_algorithm=by,
        callbacks=[*callbacks],
        logger=False,
        log_every_n_steps=0,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    loader: Any = torch.utils.data.DataLoader(batches, batch_size=None)  # pyright: ignore[reportArgumentType]
    trainer.fit(system, loader, loader)
    return system


def of(points: Sequence[Point], metric: str) -> dict[int, float]:
    return {step: value for name, step, value in points if name == metric}


@pytest.mark.parametrize(("by", "bound"), [("norm", 0.05), ("value", 0.02)])
def test_points_hold_what_the_steps_had(tmp_path: Path, by: str, bound: float) -> None:
    points, seen = list[Point](), Seen()
    trained(tmp_path, Signals(points.extend), seen, clip=bound, by=by)
    steps = [step for step in range(1, 71) if step % interval(step) == 0 or step % 30 == 0]
    losses = of(points, "train/running_loss")
    assert sorted(losses) == steps and steps[:3] == [4, 8, 12] and steps[-3:] == [60, 64, 68]
    for before, step in zip([0, *steps], steps, strict=False):
        assert losses[step] == pytest.approx(sum(seen.losses[before:step]) / (step - before), rel=1e-4)
    assert of(points, "train/gradient_norm") == pytest.approx({step: seen.norms[step - 1] for step in steps}, rel=1e-5)
    assert of(points, "train/learning_rate") == {step: seen.rates[step - 1] for step in steps}
    sizes = seen.norms if by == "norm" else seen.largest
    clipped = {step: sizes[step - 1] > bound for step in range(1, 71) if step % (interval(step) // LOOKS) == 0}
    for before, step in zip([0, *steps], steps, strict=False):
        some = [clipped[each] for each in clipped if before < each <= step]
        assert of(points, "train/clipped_share")[step] == pytest.approx(sum(some) / len(some))
    assert 0 < sum(clipped.values()) < len(clipped)


def test_without_clipping_there_is_no_share_of_it(tmp_path: Path) -> None:
    points = list[Point]()
    trained(tmp_path, Signals(points.extend), clip=0.0)
    assert {name for name, *_ in points} == {"train/running_loss", "train/gradient_norm", "train/learning_rate"}


def test_a_training_that_is_seen_has_the_bits_of_one_that_is_not(tmp_path: Path) -> None:
    plain, seen = trained(tmp_path), trained(tmp_path, Signals(lambda _: None))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, seen.state_dict()[name]), name


def test_points_are_written_before_a_validation_and_many_at_once(tmp_path: Path) -> None:
    written = list[list[Point]]()
    trained(tmp_path, Signals(lambda points: written.append([*points])))
    assert [max(step for _, step, _ in some) for some in written] == [30, 60, 68]


def test_there_are_more_points_the_longer_a_training_is_but_not_many_more() -> None:
    counts = {steps: sum(step % interval(step) == 0 for step in range(1, steps + 1)) for steps in (100, 1000, 100_000)}
    assert POINTS < counts[100] < counts[1000] < counts[100_000] < POINTS * 13
