"""Errors of values that are real numbers, by name."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..checks import check_choice

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}
"""The mean squared error, the mean absolute error, and Huber's, which is squared up to 1 and linear from there on."""


def value_loss(name: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The mean error of that ``name``.

    Raises:
        ValueError: for another name.
    """
    check_choice("loss", name, LOSSES)
    return LOSSES[name]
