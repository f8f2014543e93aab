"""What is seen of a training between its validations: the running loss, the learning rate, the gradient and its clipping."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from rnn_lightning import System
from rnn_lightning.optimization import clipped_size

POINTS, LOOKS, LEAST = 16, 2, 4
"""Points of a curve from one power of two of the steps to the next; norms that are looked at for each; steps between two."""
SECONDS_BETWEEN_NOTES = 5.0
Point = tuple[str, int, float]
"""Metric, step, value."""


class Signals(Callback):
    """Gives points of curves to ``write``, many at once: always before a validation and with every checkpoint.

    ``train/running_loss`` is the mean over the targets since the last point, ``train/gradient_norm`` that before clipping,
    ``train/clipped_share`` the share of clipped ones among the gradients that were looked at since the last point: those over
    the bound of their norm or, clipped by value, with a number over it. Which steps have a point depends on
    the step and on the validations alone, so that a resumed training gives the same ones.
    """

    def __init__(self, write: Callable[[Sequence[Point]], None]) -> None:
        self.write = write
        self._points: list[Point] = []
        self._written = time.monotonic()
        self._sum = self._weight = 0.0
        self._looked = self._clipped = 0

    def state_dict(self) -> dict[str, Any]:
        return {"sum": self._sum, "weight": self._weight, "looked": self._looked, "clipped": int(self._clipped)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._sum, self._weight = state_dict["sum"], state_dict["weight"]
        self._looked, self._clipped = state_dict["looked"], state_dict["clipped"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._step, self._writes = trainer.global_step, trainer.is_global_zero
        self._clip = trainer.gradient_clip_val or math.inf
        between = trainer.val_check_batch  # in batches
        self._between = math.ceil(between / trainer.accumulate_grad_batches) if between else math.inf
        self._weights, self._algorithm = [*pl_module.parameters()], trainer.gradient_clip_algorithm

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self._step += 1
        every = interval(self._step)
        due = self._step % every == 0 or self._step % self._between == 0
        if self._writes and (due or self._step % (every // LOOKS) == 0):
            gradients = [weight.grad for weight in self._weights if weight.grad is not None]
            norm = clipped_size(gradients)  # as torch.nn.utils has it, at half of its price for few weights
            size = norm if self._algorithm != "value" else clipped_size(gradients, "value")
            self._looked += 1
            self._clipped = self._clipped + (size > self._clip)  # on the device: to ask for it would be waited for
            if due:
                values = {"learning_rate": float(optimizer.param_groups[0]["lr"]), "gradient_norm": norm.item()}
                self._add(self._step, cast(System, pl_module), values, clipped=self._clip < math.inf)

    def _add(self, step: int, system: System, values: dict[str, float], *, clipped: bool) -> None:
        loss: Any = system.metric("train")
        total, weight = loss.mean_value.item(), loss.weight.item()
        if weight > self._weight:
            values["running_loss"] = (total - self._sum) / (weight - self._weight)
        if clipped:
            values["clipped_share"] = int(self._clipped) / self._looked
        self._points += [(f"train/{name}", step, value) for name, value in values.items()]
        self._sum, self._weight, self._looked, self._clipped = total, weight, 0, 0
        if time.monotonic() - self._written >= SECONDS_BETWEEN_NOTES:
            self._write()

    def _write(self) -> None:
        if self._points:
            self.write(self._points)
        self._points, self._written = [], time.monotonic()

    def on_save_checkpoint(self, trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self._write()

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._write()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._sum = self._weight = 0.0  # as the metric of the loss, which begins anew

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._write()

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._write()


def interval(step: int) -> int:
    """The steps from one point to the next, around ``step``."""
    return max(2 ** (step.bit_length() - 1) // POINTS, LEAST)
