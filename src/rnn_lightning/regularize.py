"""Dropout for sequences.

Shapes: B rows, T steps, F features, V words.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_flags, check_number, check_probability
from .sequences import length_mask


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


class EmbeddingDropout(nn.Module):
    """Dropout of words: one that is dropped is zero wherever it stands in the batch (Gal and Ghahramani 2016,
    arXiv:1512.05287; Merity et al. 2018, arXiv:1708.02182, section 4.3)."""

    def __init__(self, probability: float, words: int) -> None:
        super().__init__()
        check_probability("embedding_dropout", probability)
        self.probability, self.words = probability, words

    def forward(self, embedded: Tensor, tokens: Tensor) -> Tensor:
        """Drop the ``embedded`` (B, T, F) of some of the ``tokens`` (B, T)."""
        if not self.training or self.probability == 0:
            return embedded
        return embedded * F.dropout(embedded.new_ones(self.words, 1), self.probability)[tokens]


def check_penalties(size: float, change: float) -> tuple[float, float]:
    """The weights of both penalties, checked to be numbers of at least 0."""
    check_number("size_penalty", size, least=0)
    check_number("change_penalty", change, least=0)
    return size, change


def size_penalty(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean square of ``outputs`` (B, T, F), zero behind each length: AR of Merity et al. (2017, arXiv:1708.01009)."""
    if lengths is None:
        return outputs.square().sum() / max(1, outputs.numel())
    return outputs.square().sum() / (lengths.to(outputs.device).sum().clamp(min=1) * outputs.shape[2])


def change_penalty(outputs: Tensor, lengths: Tensor | None, fresh: Tensor | None = None) -> Tensor:
    """The mean square of the change of ``outputs`` (B, T, F) from step to step: TAR of Merity et al. (2017).

    A step before which the sequence begins anew, where ``fresh`` (B, T) is true, changes nothing.
    """
    changes = outputs[:, 1:] - outputs[:, :-1]
    if lengths is None and fresh is None:
        return changes.square().sum() / max(1, changes.numel())
    counted = torch.ones(changes.shape[:2], dtype=torch.bool, device=outputs.device)
    if lengths is not None:
        counted &= length_mask(lengths.to(outputs.device) - 1, changes.shape[1])
    if fresh is not None:
        counted &= ~fresh[:, 1:].to(outputs.device)
    return changes[counted].square().sum() / (counted.sum().clamp(min=1) * outputs.shape[2])


def make_dropout(probability: float, *, locked: bool) -> nn.Module:
    """A dropout layer: a mask for each step, or with ``locked`` one for all steps of a row.

    Raises:
        ValueError: for a probability outside [0, 1).
    """
    check_probability("dropout", probability)
    check_flags(locked=locked)
    return LockedDropout(probability) if locked else nn.Dropout(probability)
