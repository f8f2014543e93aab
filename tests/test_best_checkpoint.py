"""Which checkpoint is kept as the best: that of the best validation, and of equals the last."""

from pathlib import Path

import lightning
import pytest
import torch
from corpora import write_pairs
from test_durable import TRAINER, train

from rnn_lightning import AtomicCheckpointIO, Durable, LanguageModel, PairModule, SequenceClassifier, StreamModule


def test_the_best_checkpoint_is_the_one_of_the_best_validation(tmp_path: Path) -> None:
    step, _, best = train("joined, plateau", tmp_path / "data", tmp_path / "work")
    saved = torch.load(tmp_path / "work" / "best.ckpt", weights_only=True)
    again = LanguageModel.load_from_checkpoint(tmp_path / "work" / "best.ckpt", weights_only=True)
    data = StreamModule(tmp_path / "data", batch_size=8, steps=10)
    (metrics,) = lightning.Trainer(**TRAINER).validate(again, data, verbose=False)
    assert metrics["val/loss"] == pytest.approx(best)
    assert saved["global_step"] <= step


def test_of_equally_good_validations_the_last_is_kept(tmp_path: Path) -> None:
    """On a small split many validations are equally good, and the earliest of them has learnt least."""

    class Saturated(lightning.Callback):
        def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            trainer.callback_metrics["val/accuracy"] = torch.tensor(min(trainer.global_step, 4) / 4 - (trainer.global_step > 8))

    data = PairModule(write_pairs(tmp_path / "data"), batch_size=5, epochs=3)
    durable = Durable(tmp_path / "work", seed=1, monitor="val/accuracy", mode="max")
    told = {**TRAINER, "max_epochs": 1, "val_check_interval": 2, "check_val_every_n_epoch": None}
    trainer = lightning.Trainer(**told, plugins=[AtomicCheckpointIO()], callbacks=[Saturated(), durable])
    trainer.fit(SequenceClassifier({"cell": "gru", "hidden_size": 3}, 2), data)
    assert trainer.global_step > 8
    assert torch.load(durable.best, weights_only=True)["global_step"] == durable.best_step == 8
