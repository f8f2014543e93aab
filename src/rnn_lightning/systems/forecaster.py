"""Forecasters in training: squared, absolute or Huber's error, or the pinball loss of quantiles, of standardised values.

Shapes: B rows, T steps of context, H steps of horizon, F features, K targets, Q quantiles.
"""

from functools import partial

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError

from ..forecast_metrics import Coverage, MeanAbsoluteScaledError, pinball
from ..models.forecaster import Forecaster as Model
from ..quantiles import middle
from ..sequences import Batch
from .losses import value_loss
from .system import System


class Forecaster(Model, System):
    """The forecaster of `models.forecaster`, trained. Predictions are in the units of the data, (B, H, K) or (B, H, K, Q).

    The loss and the metrics ``mse``, ``rmse`` and ``mae`` are of standardised values; of quantiles the metrics take the middle
    one. ``mase`` (with ``seasonal_errors``, one a target) is the absolute error in units of that of the seasonal forecast over
    the training part; ``coverage`` (with quantiles) the share of values from the lowest quantile to the highest.
    """

    def complete(self) -> None:
        self.error = value_loss(self.hparams["loss"])
        self.add_metrics(mse=MeanSquaredError, rmse=partial(MeanSquaredError, squared=False), mae=MeanAbsoluteError)
        if (scale := self.hparams["seasonal_errors"]) is not None:
            self.add_metrics(mase=partial(MeanAbsoluteScaledError, scale))
        if self.quantiles is not None:
            self.add_metrics(coverage=Coverage)

    def check_targets(self, batch: Batch) -> None:
        shape = (len(batch.inputs), self.horizon, len(self.targets))
        if batch.targets.shape != shape:
            raise ValueError(f"targets must have shape {shape}, not {tuple(batch.targets.shape)}")
        if not batch.targets.is_floating_point() or not bool(torch.isfinite(batch.targets).all()):
            raise ValueError(f"targets must be finite floats, not {batch.targets.dtype} of which some are not finite")

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.device.type == "cpu":
            self.check_targets(batch)
        right = self.standardised(batch.targets)
        inputs = self.admit(batch.inputs, batch.lengths)
        values, _ = self.continued(inputs, batch.lengths, None, right if self.recursive and split == "train" else None)
        if not right.numel():
            return values.sum() * 0.0, 0
        if split != "train":
            self.measure(split, values.float(), right)
        if self.quantiles is None:
            return self.error(values.squeeze(3), right), right.numel()
        return pinball(values, right, self.quantiles), right.numel()

    def measure(self, split: str, values: Tensor, right: Tensor) -> None:
        """Update the metrics of ``split`` by standardised forecasts (B, H, K, Q) and what is ``right`` (B, H, K)."""
        chosen = values[..., middle(self.quantiles)].contiguous()
        for name in ("mse", "rmse", "mae"):
            self.metric(split, name).update(chosen, right)
        if self.hparams["seasonal_errors"] is not None:
            self.metric(split, "mase").update(*(self.in_units_of_one(part) for part in (chosen, right)))
        if self.quantiles is not None:
            self.metric(split, "coverage").update(values[..., 0], values[..., -1], right)

    def in_units_of_one(self, values: Tensor) -> Tensor:
        """Standardised ``values`` (B, H, K) in the units of the data, less their means."""
        return values / self.standardize.scale[: len(self.targets)]

    def predict_on(self, batch: Batch) -> Tensor:
        return self.forecast(batch.inputs, batch.lengths)
