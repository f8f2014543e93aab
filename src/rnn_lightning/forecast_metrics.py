"""Losses and metrics of forecasts that torchmetrics does not have.

Shapes: K targets, Q quantiles.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from .checks import check_number, shown


def pinball(forecasts: Tensor, right: Tensor, quantiles: Sequence[float]) -> Tensor:
    """The mean pinball loss of ``forecasts`` (..., Q) of ``quantiles`` of the ``right`` values (...).

    A value above a forecast of the quantile q costs q a unit, one below it 1 - q (Koenker and Bassett 1978): least at the true
    quantile.
    """
    q = torch.tensor(list(quantiles), dtype=forecasts.dtype, device=forecasts.device)
    over = right.unsqueeze(-1).to(forecasts.dtype) - forecasts
    return torch.maximum(q * over, (q - 1) * over).mean()


class MeanAbsoluteScaledError(Metric):
    """The mean absolute error of each target relative to its ``scale`` (K,), and the mean of these over the targets.

    With the error of the seasonal forecast over the training part as scale: MASE, as Hyndman and Koehler (2006) define it.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, scale: Sequence[float]) -> None:
        """Take the scale of each target.

        Raises:
            ValueError: for one that is not above 0, or what is no list of numbers.
        """
        super().__init__()
        self.scale = list(scale) if isinstance(scale, Iterable) and not isinstance(scale, str | bytes) else []
        if not self.scale:
            raise ValueError(f"seasonal_errors must be a list of numbers, one a target, not {shown(scale)}")
        for each in self.scale:
            check_number("seasonal_errors: every error", each, above=0)
        self.add_state("total", torch.zeros(len(self.scale), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, forecasts: Tensor, right: Tensor) -> None:
        """Count ``forecasts`` (..., K) of the ``right`` values (..., K), in the units of the scale."""
        self.total += (forecasts - right).abs().double().flatten(0, -2).sum(0)
        self.count += right[..., 0].numel()

    def compute(self) -> Tensor:
        """The mean over targets of their scaled errors."""
        return (self.total / self.count / self.total.new_tensor(self.scale)).mean().float()


class Coverage(Metric):
    """The share of values that lie in their intervals, borders included."""

    full_state_update = False
    inside: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("inside", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, lowest: Tensor, highest: Tensor, right: Tensor) -> None:
        """Count the ``right`` values from the ``lowest`` to the ``highest``, all of one shape."""
        self.inside += ((lowest <= right) & (right <= highest)).sum()
        self.count += right.numel()

    def compute(self) -> Tensor:
        """The share so far."""
        return self.inside / self.count
