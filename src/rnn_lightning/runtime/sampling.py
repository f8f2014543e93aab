"""Samples drawn in NumPy, as `rnn_lightning.search.sample` draws them, but for the random numbers.

Shapes: N rows, R rows of a source (open samples), V tokens.
"""

import math
from typing import NamedTuple

import numpy as np

from .constraints import constrain
from .rules import Rules, Scored
from .session import Array, softmax


class Filter(NamedTuple):
    """Log-probabilities (N, V) divided by the temperature, -inf where a token is not to be drawn; see `search.sample`."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __call__(self, log_probs: Array) -> Array:
        if self.temperature == 0:
            return keep_top_k(log_probs, 1)
        scores = log_probs / np.float32(self.temperature)
        if self.top_k is not None:
            scores = keep_top_k(scores, self.top_k)
        if self.top_p is not None:
            scores = keep_top_p(scores, self.top_p)
        if self.min_p:
            lowest = scores.max(1, keepdims=True) + np.float32(np.log(self.min_p))
            scores = np.where(scores < lowest, -np.inf, scores)
        return scores


def keep_top_k(scores: Array, count: int) -> Array:
    """``scores`` (N, V), -inf but for the ``count`` highest of each row."""
    places = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return kept(scores, places, np.take_along_axis(scores, places, 1))


def keep_top_p(scores: Array, mass: float) -> Array:
    """``scores`` (N, V), -inf but for the fewest of each row whose probabilities sum to ``mass``."""
    places = np.argsort(-scores, axis=1, kind="stable")
    values = np.take_along_axis(scores, places, 1)
    probabilities = softmax(values)
    before = probabilities.cumsum(1) - probabilities
    return kept(scores, places, np.where(before >= mass, -np.inf, values))


def kept(scores: Array, places: Array, values: Array) -> Array:
    """``values`` at the ``places`` of each row, and -inf elsewhere."""
    made = np.full_like(scores, -np.inf)
    np.put_along_axis(made, places, values.astype(scores.dtype), 1)
    return made


def draw(scores: Array, uniform: Array) -> Array:
    """A token (N,) of softmax(``scores``) (N, V) by a ``uniform`` number (N,) of [0, 1) each: the first whose cumulative
    probability is above it."""
    sums = softmax(scores).cumsum(1, dtype=np.float64)
    return (sums <= uniform[:, None] * sums[:, -1:]).sum(1)


class SampledSource:
    """The samples of one source, drawn from random numbers of its own."""

    def __init__(self, rules: Rules, longest: int) -> None:
        assert rules.sampling is not None
        self.rules, self.longest, self.length = rules, longest, 0
        self.keep, self.uniform = Filter(**rules.sampling.filter), np.random.default_rng(rules.sampling.seed)
        self.tokens: list[list[int]] = [[] for _ in range(rules.n_best)]
        self.totals = [0.0] * rules.n_best
        self.open = list(range(rules.n_best))

    def advance(self, log_probs: Array, gains: Array) -> list[int]:
        """Extend the open samples by a token of ``log_probs`` (R, V) each, and give the rows of those that stay open."""
        self.length += 1
        end, count = self.rules.end, len(self.open)
        if len(log_probs) < count:  # the first step has one row for all
            log_probs = np.repeat(log_probs, count, 0)
        scores = constrain(log_probs, [self.tokens[each] for each in self.open], self.rules.constraints)
        if self.length < self.rules.min_length:
            scores[:, end] = -np.inf
        if self.length >= self.longest:
            scores = np.where(np.arange(scores.shape[1]) == end, scores, -np.inf)
        stuck = scores.max(1) == -np.inf
        scores[stuck, end] = 0
        drawn = draw(self.keep(scores), self.uniform.random(self.rules.n_best)[self.open]).tolist()
        kept = []
        for row, (each, token) in enumerate(zip(self.open, drawn, strict=True)):
            self.tokens[each].append(token)
            self.totals[each] += -math.inf if stuck[row] else float(log_probs[row, token])
            kept += [row] if token != end else []
        self.open = [self.open[row] for row in kept]
        return [0] * len(kept) if self.length == 1 else kept

    @property
    def last_tokens(self) -> list[int]:
        """The last token of each open sample."""
        return [self.tokens[each][-1] for each in self.open]

    @property
    def found(self) -> list[Scored]:
        """The samples in the order drawn, with their log-probabilities; without those that got stuck."""
        pairs = zip(self.totals, self.tokens, strict=True)
        return [(total, tokens[:-1]) for total, tokens in pairs if total > -math.inf]
