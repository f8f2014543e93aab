"""Metrics of a task by split: updated by its steps, reset as a split begins, logged as it ends."""

from collections.abc import Callable
from typing import Any, cast

import lightning
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from ..processes import all_reduce_sum

EVALUATED = ("val", "test")


class Metered(lightning.LightningModule):
    """A module whose metrics, and whatever it carries from batch to batch, begin anew with each split.

    ``metrics`` holds them by the names that are logged: ``val/loss``, ``val/accuracy``. Those of ``train`` are logged with
    each validation; without validations at the end of an epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metrics = nn.ModuleDict()
        self.add_metrics("train", *EVALUATED, loss=MeanMetric)

    def forget(self, split: str) -> None:
        """Drop what is carried from batch to batch of ``train``, ``val``, ``test`` or ``predict``."""

    def metric(self, split: str, name: str = "loss") -> Metric:
        """The metric ``name`` of ``split``: of `add_metrics`, or the running mean of the loss over the targets."""
        return cast(Metric, self.metrics[f"{split}/{name}"])

    def add_metrics(self, *splits: str, **kinds: Callable[[], Metric]) -> None:
        """Keep a metric of each of the ``kinds`` for the ``splits``; ``loss_on`` updates it, the rest is done here."""
        for split in splits or EVALUATED:
            for name, kind in kinds.items():
                self.metrics[f"{split}/{name}"] = kind()

    def metrics_of(self, split: str) -> dict[str, Metric]:
        """The metrics of ``split`` by name."""
        parts = {name.partition("/")[::2]: cast(Metric, part) for name, part in self.metrics.items()}
        return {name: metric for (own, name), metric in parts.items() if own == split}

    def epoch_values(self, split: str) -> dict[str, Any]:
        """What is logged of ``val`` or ``test`` as it ends: the value of each metric, the loss first, and what follows."""
        return self._values(split)

    def _values(self, split: str) -> dict[str, Any]:
        return {name: metric.compute() for name, metric in self.metrics_of(split).items()}

    def _reset(self, split: str) -> None:
        for metric in self.metrics_of(split).values():
            metric.reset()

    def _begin(self, split: str) -> None:
        self._reset(split)
        self.forget(split)

    def _log(self, split: str, values: dict[str, Any]) -> None:
        for index, (name, value) in enumerate(values.items()):
            self.log(f"{split}/{name}", value, prog_bar=index < 2, sync_dist=True)

    def _log_measured(self, split: str) -> None:
        loss: Any = self.metric(split)
        if all_reduce_sum(int(loss.weight > 0)):
            self._log(split, self.epoch_values(split))
        else:
            rank_zero_warn(f"no batch of {split} that was read has a target: nothing of it is logged; let it read more batches")

    def _log_training(self) -> None:
        if self.metric("train").update_called:
            self._log("train", self._values("train"))
            self._reset("train")

    def setup(self, stage: str) -> None:
        if stage == "fit":  # a checkpoint, if there is one, is read after this
            self._begin("train")

    def on_validation_epoch_start(self) -> None:
        self._begin("val")

    def on_validation_epoch_end(self) -> None:
        self._log_training()
        self._log_measured("val")

    def on_train_epoch_end(self) -> None:
        if not self.trainer.enable_validation:
            self._log_training()

    def on_test_epoch_start(self) -> None:
        self._begin("test")

    def on_test_epoch_end(self) -> None:
        self._log_measured("test")

    def on_predict_epoch_start(self) -> None:
        self.forget("predict")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        loss: Any = self.metric("train")
        checkpoint["train_loss"] = (loss.mean_value, loss.weight)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._begin("train")
        if "train_loss" in checkpoint:  # so that a resumed run logs what an uninterrupted one does
            loss: Any = self.metric("train")
            loss.mean_value, loss.weight = checkpoint["train_loss"]

    def log_step(self, mean: Tensor) -> None:
        """Log the ``mean`` loss of a training step, every ``log_every_n_steps`` of the Trainer's."""
        if self._trainer is None:
            return
        every = cast(Any, self.trainer).log_every_n_steps
        if every and (self.global_step + 1) % every == 0:
            self.log("train/loss_step", mean, prog_bar=True)
