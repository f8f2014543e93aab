"""Hypotheses that have ended, apart from those still open, and when a search may stop for them.

Shapes: A active sentences, G groups of a beam, R rows of a group, P hypotheses asked for.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .normalisation import Normalisation

STOPS = ("exact", "first", "patience")


class Finished(NamedTuple):
    """The best finished hypotheses of each group: ``scores`` (A, G, P), best first and -inf where there are fewer, and the
    ``nodes`` (A, G, P) in which they ended; and ``number`` (A, G), how many have ended in all."""

    scores: Tensor
    nodes: Tensor
    number: Tensor

    @classmethod
    def start(cls, like: Tensor, groups: int, n_best: int) -> "Finished":
        """None so far, for as many sentences as ``like`` (A,) has entries."""
        scores = torch.full((len(like), groups, n_best), -torch.inf, device=like.device)
        nodes = torch.zeros_like(scores, dtype=torch.int64)
        return cls(scores, nodes, nodes[:, :, 0])

    def add(self, scores: Tensor, nodes: Tensor) -> "Finished":
        """With the hypotheses of ``scores`` (A, G, R), none where it is -inf, which ended in ``nodes`` (A, G, R)."""
        best, index = torch.cat([self.scores, scores], 2).topk(self.scores.shape[2])
        kept = torch.cat([self.nodes, nodes], 2).gather(2, index)
        return Finished(best, kept, self.number + (scores > -torch.inf).sum(2))


@dataclass(frozen=True)
class Stop:
    """When a group of ``width`` rows is done; ``rule`` is one of ``STOPS``, which ``beam_search`` explains."""

    rule: str
    patience: float
    width: int

    def __post_init__(self) -> None:
        if self.rule not in STOPS:
            raise ValueError(f"stop must be one of {list(STOPS)}, not {self.rule!r}")
        if not 0 < self.patience < math.inf:
            raise ValueError(f"patience must be a finite number above 0, not {self.patience}")

    def reached(
        self, finished: Finished, likeliest: Tensor, length: int, limits: tuple[Tensor, Tensor], by: Normalisation
    ) -> Tensor:
        """Which groups (A, G) are done, where their ``likeliest`` (A, G) open hypotheses have ``length`` tokens.

        ``limits`` are the shortest and longest (A,) that a sentence's hypotheses may be.
        """
        best, last = finished.scores[:, :, 0], finished.scores[:, :, -1]
        if self.rule == "exact":
            shortest, longest = limits
            return last >= by.bound(likeliest, shortest.clamp(min=length + 1).unsqueeze(1), longest.unsqueeze(1))
        if self.rule == "first":
            return (last > -torch.inf) & (best >= by.score(likeliest, likeliest.new_full((), length)))
        return finished.number >= max(math.ceil(self.patience * self.width), finished.scores.shape[2])
