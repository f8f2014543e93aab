"""Early stopping: a training ends after the validations that its own curve says, and a resumed one ends there too."""

import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from run_folders import trained_in

from pipelines.training import trainers
from rnn_lightning.files import read_json
from rnn_lightning.models.checkpoints import read_checkpoint

WORDS = ("task.training.epochs=20", "task.training.patience=2", "trainer.checkpoint_seconds=0")
WORDS += ("task.model.optimizer={name: adam, lr: 0.3}",)


def last_step(losses: list[tuple[int, float]], patience: int) -> int:
    """The step of the first validation that is one of ``patience`` in a row none of which is better than all before."""
    best, waited = float("inf"), 0
    for step, loss in losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == patience:
            return step
    return losses[-1][0]


def validated(folder: Path) -> list[tuple[int, float]]:
    with (folder / "curves.csv").open(newline="") as lines:
        return [(int(row["step"]), float(row["value"])) for row in csv.DictReader(lines) if row["metric"] == "val/loss"]


class Kill(Callback):
    """Ends the process of a training as a kill would, before its step, or after its end."""

    def __init__(self, step: int | None) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt

    def on_train_end(self, trainer, pl_module) -> None:
        if self.step is None:
            raise KeyboardInterrupt


def test_a_training_ends_by_its_curve_and_a_resumed_one_there_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with trained_in(tmp_path / "whole", *WORDS) as folder:
        training, losses, whole = read_json(folder / "training.json"), validated(folder), read_checkpoint(folder / "model.ckpt")
    assert training["steps"] == losses[-1][0] == last_step(losses, 2) < training["planned_steps"] == 80
    assert training["best_value"] == min(loss for _, loss in losses)
    usual = trainers.patience
    for step in (training["steps"] - 1, None):
        place = tmp_path / str(step)
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.training.run.patience", lambda experiment, step=step: [*usual(experiment), Kill(step)])
            with pytest.raises((KeyboardInterrupt, SystemExit)), trained_in(place, *WORDS):
                pass
        with trained_in(place, *WORDS) as folder:
            again = read_json(folder / "training.json")
            state = read_checkpoint(folder / "model.ckpt")["state_dict"]
            assert (again["steps"], validated(folder)) == (training["steps"], losses)
            assert all(torch.equal(value, whole["state_dict"][name]) for name, value in state.items())
