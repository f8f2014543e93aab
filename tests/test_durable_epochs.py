"""Interrupted trainings of several Lightning epochs: whatever an epoch's batches, a resumed one ends bit-identical."""

import os
import signal
from pathlib import Path
from typing import Any

import lightning
import pytest
from often import some
from test_durable import TRAINER, KillAfter, KilledError, fingerprint, setting

from rnn_lightning import AtomicCheckpointIO, Durable
from rnn_lightning.progress import epoch_and_batch

EPOCHS = 3


def train(folder: Path, work: Path, callbacks: list[lightning.Callback], **told: Any) -> tuple[int, str, float | None]:
    """Train on from ``work``; returns the steps made, a hash of the weights and optimiser, and the best validation loss."""
    model, module = setting("pairs", folder / "data")
    module.epochs = 1
    module.batch_size = told.pop("batch_size", module.batch_size)
    durable = Durable(work, seed=3, every_seconds=0)
    trainer = lightning.Trainer(
        **{**TRAINER, "max_epochs": EPOCHS, **told}, plugins=[AtomicCheckpointIO()], callbacks=[durable, *callbacks]
    )
    trainer.fit(model, module, ckpt_path=durable.last if durable.last.exists() else None, weights_only=True)
    return trainer.global_step, fingerprint(model, trainer), durable.best_value


SETTINGS = [
    {},
    {"limit_train_batches": 5},
    {"limit_train_batches": 0.5},
    {"limit_train_batches": 100},
    {"accumulate_grad_batches": 5},
    {"accumulate_grad_batches": 4, "limit_train_batches": 7},
]


@pytest.mark.parametrize("told", SETTINGS, ids=str)
@pytest.mark.parametrize("share", some([0.5, 0.3, 0.8], 1))
def test_epochs_of_any_length_are_resumed_where_they_were_left(tmp_path: Path, told: dict[str, Any], share: float) -> None:
    whole = train(tmp_path, tmp_path / "whole", [], **told)
    with pytest.raises(KilledError):
        train(tmp_path, tmp_path / "work", [KillAfter(max(2, round(share * whole[0])))], **told)
    assert train(tmp_path, tmp_path / "work", [], **told) == whole


@pytest.mark.parametrize("batches", range(1, 9))
@pytest.mark.parametrize("accumulated", range(1, 5))
def test_the_place_is_that_of_counting_batch_by_batch(batches: int, accumulated: int) -> None:
    steps = 0
    for epoch in range(3):
        for made in range(batches):
            if made % accumulated == 0:  # a step is taken after so many, and after an epoch's last
                assert epoch_and_batch(steps, batches, accumulated) == (epoch, made)
                steps += 1


class StopAfter(lightning.Callback):
    """Sends a signal after a step, as a machine does that is to be shut down."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: object) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


UNSAVED = [
    {"batch_size": 100},
    {"batch_size": 30, "val_check_interval": 1},
    {"accumulate_grad_batches": 4, "val_check_interval": 2},
    {"accumulate_grad_batches": 50},
]


@pytest.mark.parametrize("told", UNSAVED, ids=str)
@pytest.mark.filterwarnings("ignore:The number of training batches")
def test_a_signal_stops_a_training_that_has_no_place_to_save_at_and_it_says_so(tmp_path: Path, told: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match="nothing can be saved before the end"), pytest.raises(SystemExit) as stopped:
        train(tmp_path, tmp_path / "work", [StopAfter(1)], **told)
    assert stopped.value.code == 143


@pytest.mark.parametrize("told", UNSAVED, ids=str)
def test_without_a_signal_it_ends_and_is_saved(tmp_path: Path, told: dict[str, Any]) -> None:
    train(tmp_path, tmp_path / "work", [], **told)
    assert (tmp_path / "work" / "last.ckpt").exists()
