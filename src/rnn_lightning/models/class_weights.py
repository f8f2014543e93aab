"""Weights of classes in the loss of a training, for classes that are rare.

Shapes: C classes, N targets.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..checks import check_number, shown
from ..sequences import IGNORED


def as_weights(weights: Sequence[float] | None, count: int) -> Tensor | None:
    """The ``weights`` of so many classes as a tensor (C,); ``None``: all classes count alike.

    Raises:
        ValueError: where they are not a list of C numbers from 0 on, or all are 0.
    """
    if weights is None:
        return None
    if not count:
        raise ValueError("class_weights are of classes: give num_classes, or leave them out")
    if isinstance(weights, str) or not isinstance(weights, Sequence) or len(weights) != count:
        raise ValueError(f"class_weights must be a list of {count} numbers, one a class, not {shown(weights)}")
    for number, weight in enumerate(weights):
        check_number(f"class_weights[{number}]", weight, least=0)
    if not any(weights):
        raise ValueError("class_weights must have one that is above 0: nothing would be learnt")
    return torch.tensor([float(weight) for weight in weights])


def balanced_weights(targets: Iterable[np.ndarray], count: int) -> list[float]:
    """The weights of ``count`` classes by which each has the same part in the loss: n / (k n_c), of n targets in k classes that
    occur, n_c of them of the class c. A class that has none gets 0. It is scikit-learn's ``class_weight="balanced"``.

    Args:
        targets: some at a time (N,); `IGNORED` ones do not count.

    Raises:
        ValueError: where there is no target, or one is no class.
    """
    found = np.zeros(count, dtype=np.int64)
    for some in targets:
        counted = some[some != IGNORED]
        if counted.size and not 0 <= counted.min() <= counted.max() < count:
            raise ValueError(f"targets must be classes from 0 to {count - 1}, not {counted.min()} to {counted.max()}")
        found += np.bincount(counted, minlength=count)
    if not found.any():
        raise ValueError("class_weights cannot be balanced: there is no target")
    each = found.sum() / (np.count_nonzero(found) * np.maximum(found, 1))
    return [float(weight) if number else 0.0 for weight, number in zip(each, found, strict=True)]
