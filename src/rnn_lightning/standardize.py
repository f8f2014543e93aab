"""Features brought to mean 0 and standard deviation 1 by numbers that travel with the model."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .checks import check_number, shown


class Standardize(nn.Module):
    """Subtracts a mean and divides by a standard deviation, one of each for every feature.

    The numbers are those of the training split, which the data's card states; as hyperparameters of a system they are in its
    checkpoint. Without them features pass as they are.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int, standardize: Mapping[str, Sequence[float]] | None, *, name: str = "standardize") -> None:
        """Take the mean and the standard deviation from ``standardize``: ``{"mean": [...], "std": [...]}``, F numbers each.

        Args:
            name: what an error calls them.

        Raises:
            ValueError: where there are not F numbers of each, or a deviation is not above 0.
        """
        super().__init__()
        if standardize is not None and not isinstance(standardize, Mapping):
            raise ValueError(f"{name} must be {{'mean': [...], 'std': [...]}}, or None, not {shown(standardize)}")
        statistics = {"mean": [0.0] * features, "std": [1.0] * features} if standardize is None else dict(standardize)
        if set(statistics) != {"mean", "std"} or any(
            not isinstance(numbers, Sequence) or len(numbers) != features for numbers in statistics.values()
        ):
            raise ValueError(f"{name} must have {features} numbers for each of 'mean' and 'std', not {shown(statistics)}")
        for mean, deviation in zip(statistics["mean"], statistics["std"], strict=True):
            check_number(f"{name}: every mean", mean)
            check_number(f"{name}: every std", deviation, above=0)
        self.register_buffer("mean", torch.tensor(statistics["mean"], dtype=torch.float32), persistent=False)
        self.register_buffer("scale", torch.tensor(1 / np.array(statistics["std"], dtype=np.float32)), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """``features`` (..., F), each by its own numbers."""
        return (features - self.mean) * self.scale
