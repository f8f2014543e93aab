"""A step of CTC decoding: the log-probabilities of its labels, and those that are likely enough to extend a prefix.

Shapes: B rows, C labels with the blank, D of them likely, K prefixes of a row.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Emissions(NamedTuple):
    """The log-probabilities ``all`` (B, C) of a step; the ``labels`` (B, D) that may extend a prefix, their log-probabilities
    ``likely`` (B, D), and the ``places`` (B, C) of all labels among them, -1 of those that are not there."""

    all: Tensor
    labels: Tensor
    likely: Tensor
    places: Tensor

    def repeats(self, last: Tensor) -> Tensor:
        """Where a likely label is the ``last`` one (B, K) of a prefix: (B, K, D)."""
        return last.unsqueeze(2) == self.labels.unsqueeze(1)

    def of_likely(self, values: Tensor) -> Tensor:
        """``values`` (B, K, C) of all labels: (B, K, D), those of the likely ones."""
        return values.gather(2, self.labels.unsqueeze(1).expand(-1, values.shape[1], -1))

    def places_of(self, labels: Tensor) -> Tensor:
        """The places of ``labels`` (B, K), -1 of one that is not likely or below 0."""
        return self.places.gather(1, labels.clamp(min=0)).masked_fill(labels < 0, -1)


def likely_labels(emissions: Tensor, blank: int, cut: float) -> Emissions:
    """The labels of ``emissions`` (B, C) with the probability ``cut`` or more, as many a row as the row with most of them has;
    the log-probability of the others, and of the blank, is minus infinity."""
    everything = torch.arange(emissions.shape[1], device=emissions.device).expand_as(emissions)
    likely = emissions.clone()
    likely[:, blank] = -torch.inf
    if not cut:
        return Emissions(emissions, everything, likely, everything)
    unlikely = likely < math.log(cut)
    most = int((~unlikely).sum(1).max()) if len(emissions) else 0
    likely, labels = likely.masked_fill(unlikely, -torch.inf).topk(max(1, most), 1)
    places = torch.full_like(emissions, -1, dtype=torch.int64).scatter(1, labels, everything[:, : labels.shape[1]])
    return Emissions(emissions, labels, likely, places)
