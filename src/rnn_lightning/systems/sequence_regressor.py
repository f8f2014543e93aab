"""Sequence regressors in training: squared, absolute or Huber's error, or the pinball loss of quantiles.

Shapes: B rows, T steps, K targets, Q quantiles, N targets that count.
"""

from functools import partial

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError

from ..forecast_metrics import Coverage, pinball
from ..models.sequence_regressor import SequenceRegressor as Model
from ..quantiles import middle
from ..sequences import Batch, length_mask
from .losses import value_loss
from .system import System


class SequenceRegressor(Model, System):
    """The regressor of `models.sequence_regressor`, trained. Predictions are in the units of the targets.

    Targets are (B, K), or (B, T, K); without the last dimension where K is 1. One that is NaN counts nowhere. The loss and the
    metrics ``mse``, ``rmse`` and ``mae`` are of standardised values, those of quantiles of the middle one; ``coverage`` is the
    share of values from the lowest quantile to the highest.
    """

    def complete(self) -> None:
        self.error = value_loss(self.hparams["loss"])
        self.add_metrics(mse=MeanSquaredError, rmse=partial(MeanSquaredError, squared=False), mae=MeanAbsoluteError)
        if self.quantiles is not None:
            self.add_metrics(coverage=Coverage)

    def check_targets(self, batch: Batch) -> None:
        shape = (*batch.inputs.shape[: 2 if self.every_step else 1], len(self.targets))
        if batch.targets.shape != shape and (len(self.targets) > 1 or batch.targets.shape != shape[:-1]):
            raise ValueError(f"targets must have shape {shape}, not {tuple(batch.targets.shape)}")
        if not batch.targets.is_floating_point() or bool(torch.isinf(batch.targets).any()):
            raise ValueError(f"targets must be finite floats, or NaN for none; of {batch.targets.dtype} some are neither")

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.device.type == "cpu":
            self.check_targets(batch)
        self.check_steps(batch.inputs, batch.lengths)
        values, _ = self(batch.inputs, batch.lengths)
        values = values.unsqueeze(-1) if self.quantiles is None else values  # (..., K, Q)
        right = self.of_targets(batch.targets.reshape(values.shape[:-1]).to(values.dtype))
        counted = ~right.isnan()
        if self.every_step and batch.lengths is not None:
            counted &= length_mask(batch.lengths.to(right.device), right.shape[1]).unsqueeze(2)
        values, right = values[counted], right[counted]  # (N, Q), (N,)
        if not len(right):
            return values.sum() * 0.0, 0
        chosen = values[:, middle(self.quantiles)]
        if split != "train":
            for name in ("mse", "rmse", "mae"):
                self.metric(split, name).update(chosen.float(), right.float())
            if self.quantiles is not None:
                self.metric(split, "coverage").update(values[:, 0], values[:, -1], right)
        return self.error(chosen, right) if self.quantiles is None else pinball(values, right, self.quantiles), len(right)

    def predict_on(self, batch: Batch) -> Tensor:
        return self.regress(batch.inputs, batch.lengths)
