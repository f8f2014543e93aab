"""Dropout for sequences.

Shapes: B rows, T steps, F features.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_flags, check_probability


class LockedDropout(nn.Module):
    """Dropout with one mask for all steps of a row (variational dropout: Gal and Ghahramani 2016, arXiv:1512.05287)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, sequence: Tensor) -> Tensor:
        """Drop the same features (B, 1, F) at every step of ``sequence`` (B, T, F)."""
        if not self.training or self.probability == 0:
            return sequence
        return sequence * F.dropout(sequence.new_ones(sequence.shape[0], 1, sequence.shape[2]), self.probability)


def make_dropout(probability: float, *, locked: bool) -> nn.Module:
    """A dropout layer: a mask for each step, or with ``locked`` one for all steps of a row.

    Raises:
        ValueError: for a probability outside [0, 1).
    """
    check_probability("dropout", probability)
    check_flags(locked=locked)
    return LockedDropout(probability) if locked else nn.Dropout(probability)
