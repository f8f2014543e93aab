"""Filters of sampling: temperature, top-k, top-p and min-p. Shapes: N rows, V tokens."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_filter


@dataclass(frozen=True)
class Filter:
    """Log-probabilities (N, V) divided by the temperature, -inf where a token is not to be drawn; see ``sample``."""

    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None

    def __post_init__(self) -> None:
        check_filter(self.temperature, self.top_k, self.top_p, self.min_p)

    def __call__(self, log_probs: Tensor) -> Tensor:
        if self.temperature == 0:
            return keep_top_k(log_probs, 1)
        scores = log_probs / self.temperature
        if self.top_k is not None:
            scores = keep_top_k(scores, self.top_k)
        if self.top_p is not None:
            scores = keep_top_p(scores, self.top_p)
        if self.min_p:
            scores = keep_min_p(scores, self.min_p)
        return scores


def keep_top_k(scores: Tensor, count: int) -> Tensor:
    """``scores`` (N, V), -inf but for the ``count`` highest of each row."""
    values, tokens = scores.topk(min(count, scores.shape[1]))
    return torch.full_like(scores, -torch.inf).scatter(1, tokens, values)


def keep_top_p(scores: Tensor, mass: float) -> Tensor:
    """``scores`` (N, V), -inf but for the fewest of each row whose probabilities sum to ``mass`` (nucleus sampling)."""
    values, tokens = scores.sort(1, descending=True)
    probabilities = values.softmax(1)
    before = probabilities.cumsum(1) - probabilities
    return torch.full_like(scores, -torch.inf).scatter(1, tokens, values.masked_fill(before >= mass, -torch.inf))


def keep_min_p(scores: Tensor, share: float) -> Tensor:
    """``scores`` (N, V), -inf where a token is less than ``share`` times as likely as the likeliest of its row."""
    return scores.masked_fill(scores < scores.amax(1, keepdim=True) + math.log(share), -torch.inf)
