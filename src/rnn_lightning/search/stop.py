"""Finished hypotheses, and the criteria by which a search stops.

Shapes: A active sentences, G groups of a beam, R rows of a group, P hypotheses asked for.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import LARGEST, check_choice, check_number
from .normalisation import Normalisation

STOPS = ("exact", "first", "patience")


class Finished(NamedTuple):
    """The best finished hypotheses of each group: ``scores`` (A, G, P), best first and -inf where there are fewer, and the
    backpointer ``entries`` (A, G, P) in which they ended; and the ``number`` (A, G) of all that have ended."""

    scores: Tensor
    entries: Tensor
    number: Tensor

    @classmethod
    def start(cls, like: Tensor, groups: int, n_best: int) -> "Finished":
        """No hypothesis yet, for as many sentences as ``like`` (A,) has."""
        scores = torch.full((len(like), groups, n_best), -torch.inf, device=like.device)
        entries = torch.zeros_like(scores, dtype=torch.int64)
        return cls(scores, entries, entries[:, :, 0])

    def add(self, scores: Tensor, entries: Tensor) -> "Finished":
        """The best of these and of those of ``scores`` (A, G, R), -inf where there is none, that ended in ``entries``."""
        best, index = torch.cat([self.scores, scores], 2).topk(self.scores.shape[2])
        kept = torch.cat([self.entries, entries], 2).gather(2, index)
        return Finished(best, kept, self.number + (scores > -torch.inf).sum(2))


@dataclass(frozen=True)
class Stop:
    """A stopping criterion for a group of ``width`` rows.

    ``rule`` is one of ``STOPS``. "exact": stop when no open hypothesis can any more outrank the ``n_best``-th finished one, so
    that stopping early changes no result (``Normalisation`` says for which scores). "first": when ``n_best`` have finished and
    the best of them outranks all open ones as they are. "patience": when ``patience`` times ``width``, and no fewer than
    ``n_best``, have finished (Kasai et al. 2022, arXiv:2204.05424). Groups stop each for itself, by their own width.
    """

    rule: str
    patience: float
    width: int

    def __post_init__(self) -> None:
        check_choice("stop", self.rule, STOPS)
        check_number("patience", self.patience, above=0)

    def reached(
        self, finished: Finished, likeliest: Tensor, length: int, limits: tuple[Tensor, Tensor], by: Normalisation
    ) -> Tensor:
        """A mask (A, G) of the groups that stop, where their ``likeliest`` (A, G) open hypotheses have ``length`` tokens.

        ``limits`` are the shortest and longest (A,) that a sentence's hypotheses may be.
        """
        best, last = finished.scores[:, :, 0], finished.scores[:, :, -1]
        if self.rule == "exact":
            shortest, longest = limits
            return last >= by.bound(likeliest, shortest.clamp(min=length + 1).unsqueeze(1), longest.unsqueeze(1))
        if self.rule == "first":
            return (last > -torch.inf) & (best >= by.score(likeliest, likeliest.new_full((), length)))
        return finished.number >= max(math.ceil(min(self.patience, LARGEST) * self.width), finished.scores.shape[2])
