"""Errors of values that are real numbers, by name, and the cross entropy of classes that do not count alike.

Shapes: N targets, C classes.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..checks import check_choice
from ..sequences import at_least_single

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}
"""The mean squared error, the mean absolute error, and Huber's, which is squared up to 1 and linear from there on."""


def value_loss(name: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The mean error of that ``name``.

    Raises:
        ValueError: for another name.
    """
    check_choice("loss", name, LOSSES)
    return LOSSES[name]


def class_loss(scores: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """The mean cross entropy of ``scores`` (N, C) and ``targets`` (N,), each times that of the ``weights`` (C,) of its class.

    The mean is over N, and not over the sum of weights, so that it does not depend on what else is in a batch.
    """
    scores = at_least_single(scores)
    if weights is None:
        return F.cross_entropy(scores, targets)
    return F.cross_entropy(scores, targets, weight=weights.to(scores.dtype), reduction="sum") / len(targets)
