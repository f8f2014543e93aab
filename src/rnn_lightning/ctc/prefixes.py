"""The prefixes that a CTC search keeps, and the language model that scores them.

Shapes: B rows, T steps, C labels with the blank, K prefixes of a row.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_number, shown
from ..sequences import State, Step


class ShallowFusion(NamedTuple):
    """Shallow fusion of a language model (Graves and Jaitly 2014): the score of a prefix is its log-probability, ``weight``
    log P(prefix) of the language model and ``bonus`` for each of its labels.

    ``step`` is the language model, ``start`` makes its state of any number of rows. Its vocabulary is that of the labels, where
    the blank stands for the text's beginning and its end.
    """

    step: Step
    start: Callable[[int], State]
    weight: float = 1.0
    bonus: float = 0.0

    def weighted(self, log_probs: Tensor) -> Tensor:
        """``weight`` times log-probabilities; 0 where the weight is 0, also of -inf."""
        return self.weight * log_probs if self.weight else torch.zeros_like(log_probs)


def check_fusion(fusion: ShallowFusion) -> None:
    """Refuse a fusion of what cannot be called, or with numbers that are none."""
    if not isinstance(fusion, ShallowFusion) or not callable(fusion.step) or not callable(fusion.start):
        raise ValueError(f"fusion must be a ShallowFusion of two functions, step and start, or None, not {shown(fusion)}")
    check_number("fusion.weight", fusion.weight)
    check_number("fusion.bonus", fusion.bonus)


HASH = 6364136223846793005
"""The multiplier of a prefix's hash (Knuth's, for 64 bits)."""


class Beam(NamedTuple):
    """The prefixes of each row: ``labels`` (B, K, T), 0 behind ``lengths`` (B, K), and the log-probabilities (B, K) of all
    paths of a prefix that end in a blank, and in its last label.

    ``key`` and ``stem_key`` (B, K) are hashes of the labels, and of those but the last.

    With a language model: its log-probabilities ``lm_next`` (B, K, C) of the next label, its ``lm_state`` (of B K rows), and
    ``lm_score`` (B, K), the weighted score of the prefix with its bonuses.
    """

    labels: Tensor
    lengths: Tensor
    blank: Tensor
    label: Tensor
    key: Tensor
    stem_key: Tensor
    lm_next: Tensor
    lm_score: Tensor
    lm_state: State

    @property
    def total(self) -> Tensor:
        """The log-probability of all paths of each prefix (B, K)."""
        return torch.logaddexp(self.blank, self.label)

    @property
    def last(self) -> Tensor:
        """The last label of each prefix (B, K); -1 of the empty one."""
        ends = self.labels.gather(2, (self.lengths - 1).clamp(min=0).unsqueeze(2)).squeeze(2)
        return ends.masked_fill(self.lengths == 0, -1)

    def children(self) -> Tensor:
        """Where the second prefix is the first and one label more: (B, K, K)."""
        one_longer = self.lengths.unsqueeze(1) == self.lengths.unsqueeze(2) + 1
        child = one_longer & (self.stem_key.unsqueeze(1) == self.key.unsqueeze(2))
        row, first, second = child.nonzero().unbind(1)
        longest = int(self.lengths.max()) if len(self.lengths) else 0
        labels = self.labels[:, :, :longest]
        real = torch.arange(longest, device=labels.device) < self.lengths[row, first].unsqueeze(1)
        same = ((labels[row, first] == labels[row, second]) | ~real).all(1)  # two prefixes of one key are hardly ever different
        return child.index_put((row, first, second), same)


def start_beam(log_probs: Tensor, beam_size: int, blank: int, fusion: ShallowFusion | None) -> Beam:
    """The beam before the first step: the empty prefix."""
    rows, steps, labels = log_probs.shape
    impossible = log_probs.new_full((rows, beam_size), -torch.inf)
    empty = impossible.clone()
    empty[:, 0] = 0
    lm_next, lm_state = log_probs.new_zeros(rows, beam_size, labels), log_probs.new_zeros(rows * beam_size, 0)
    if fusion is not None:
        first = torch.full((rows * beam_size,), blank, device=log_probs.device)
        after_first, lm_state = fusion.step(first, fusion.start(rows * beam_size))
        lm_next = after_first.view(rows, beam_size, labels).to(log_probs.dtype)
    prefixes = torch.zeros(rows, beam_size, steps, dtype=torch.int64, device=log_probs.device)
    lengths = prefixes.new_zeros(rows, beam_size)
    return Beam(prefixes, lengths, empty, impossible, lengths, lengths - 1, lm_next, torch.zeros_like(empty), lm_state)


def gather_prefixes(values: Tensor, prefixes: Tensor) -> Tensor:
    """The ``values`` (B, K, ...) of some ``prefixes`` (B, N)."""
    return values.gather(1, prefixes.unsqueeze(2).expand(-1, -1, values.shape[2]))
