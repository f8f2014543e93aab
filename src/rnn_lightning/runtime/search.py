"""Beam search over a decoder's graph, as `rnn_lightning.search` has it: the same hypotheses, and when they end.

Shapes: B sources, S steps of the longest, R rows (open hypotheses) of a source, N rows of all, V tokens.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks import check_beam, check_choice, check_counts, check_number, shown
from .session import Array

STOPS = ("exact", "first", "patience")
NORMALISATIONS: dict[str, tuple[str | None, Callable[[Any, Any, float], Any]]] = {
    "none": (None, lambda total, length, _: total),
    "power": ("alpha", lambda total, length, alpha: total / np.float32(length) ** np.float32(alpha)),
    "gnmt": ("alpha", lambda total, length, alpha: total / ((5 + np.float32(length)) / 6) ** np.float32(alpha)),
    "reward": ("reward", lambda total, length, reward: total + np.float32(reward) * np.float32(length)),
}
"""By name: the number that a normalisation has, and the score of a log-probability and a length."""
USUAL = {"power": 1.0, "gnmt": 0.6}


@dataclass(frozen=True)
class Rules:
    """The options of a search, as `beam_search` of the library has them, and the token that ends a hypothesis."""

    end: int
    beam_size: int = 5
    n_best: int = 1
    normalisation: Mapping[str, Any] | None = None
    stop: str = "exact"
    patience: float = 1.0
    min_length: int = 1
    max_length: int | None = None
    coverage: float = 0.0

    def __post_init__(self) -> None:
        check_beam(self.beam_size)
        check_counts(n_best=self.n_best, min_length=self.min_length)
        if self.max_length is not None:
            check_counts(least=self.min_length, max_length=self.max_length)
        check_choice("stop", self.stop, STOPS)
        check_number("patience", self.patience, above=0)
        check_number("coverage", self.coverage, least=0)
        self.score(np.float32(-1), 1)

    def score(self, total: Any, length: int) -> Any:
        """The score of hypotheses of a ``total`` log-probability and a ``length``."""
        given = dict(self.normalisation or {"name": "none"})
        name = given.pop("name", None)
        check_choice("normalisation: name", name, NORMALISATIONS)
        keyword, score = NORMALISATIONS[name]
        number = given.pop(keyword, USUAL.get(name)) if keyword else 0.0
        check_number(f"normalisation: {keyword}", number)
        if given:
            raise ValueError(f"normalisation {name} has no {shown(next(iter(given)))}")
        return score(total, length, number)


@dataclass
class Source:
    """The search for one source: its open hypotheses, of so many tokens, and the best that have ended."""

    rules: Rules
    longest: int
    tokens: list[list[int]] = field(default_factory=lambda: [[]])
    totals: Array = field(default_factory=lambda: np.zeros(1, np.float32))
    finished: list[tuple[float, list[int]]] = field(default_factory=list)
    ended: int = 0
    length: int = 0

    def advance(self, log_probs: Array, gains: Array) -> list[int]:
        """Extend the hypotheses by ``log_probs`` (R, V), and give the rows that are extended; none where the search is over.

        ``gains`` (R,) are added to the scores of those that end now.
        """
        self.length += 1
        rules, last = self.rules, self.length >= self.longest
        ends = self.totals + log_probs[:, rules.end]
        sums = self.totals[:, None] + log_probs
        sums[:, rules.end] = -np.inf
        best = highest(sums.ravel(), rules.beam_size)
        ranks = sums.ravel()[best]
        lowest = ranks[-1] if len(best) == rules.beam_size else -np.inf
        if self.length >= rules.min_length:
            self.end(ends, ends >= (-np.inf if last else lowest), gains)
        rows, tokens = np.divmod(best[ranks > -np.inf], log_probs.shape[1])
        self.totals = ranks[ranks > -np.inf]
        if last or not len(rows) or self.over():
            return []
        self.tokens = [[*self.tokens[row], token] for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)]
        return rows.tolist()

    def end(self, ends: Array, may: Array, gains: Array) -> None:
        """Keep the best of the hypotheses that end here, with the log-probabilities ``ends`` (R,), where they ``may``."""
        scores = self.rules.score(ends, self.length) + gains
        here = [row for row in np.flatnonzero(may & (ends > -np.inf)).tolist() if scores[row] > -np.inf]
        self.ended += len(here)
        found = [*self.finished, *((float(scores[row]), self.tokens[row]) for row in here)]
        self.finished = sorted(found, key=lambda one: -one[0])[: self.rules.n_best]

    def over(self) -> bool:
        """Whether no open hypothesis can change what is found, or as ``stop`` says."""
        rules, likeliest = self.rules, self.totals.max()
        enough = len(self.finished) == rules.n_best
        if rules.stop == "exact":
            lengths = max(rules.min_length, self.length + 1), self.longest
            return enough and self.finished[-1][0] >= max(rules.score(likeliest, length) for length in lengths)
        if rules.stop == "first":
            return enough and self.finished[0][0] >= rules.score(likeliest, self.length)
        return self.ended >= max(math.ceil(rules.patience * rules.beam_size), rules.n_best)


@dataclass
class Decoder:
    """A step of a decoder as a graph; the arrays that it looks at come ``looks`` in number before those of its state."""

    step: Callable[..., Sequence[Array]]
    looks: int
    has_weights: bool

    def search(self, rules: Rules, longest: Sequence[int], parts: Sequence[Array]) -> list[list[tuple[float, list[int]]]]:
        """What is found for each source, the best first, with scores; ``parts`` are what the encoder's graph returns, and
        ``longest`` (B,) the most tokens of each, its end included."""
        sources = [Source(rules, most) for most in longest]
        memory, state = list(parts[: self.looks]), list(parts[self.looks :])
        of_rows = np.arange(len(sources))
        tokens, seen, coverage = np.full(len(sources), rules.end), memory, np.zeros(1)
        while len(of_rows):
            log_probs, *more = self.step(tokens, *seen, *state)
            coverage = coverage + more[0] if self.has_weights and rules.coverage else coverage
            gains = self.gains(rules, coverage, seen, len(of_rows))
            state, kept = more[int(self.has_weights) :], []
            for source in np.unique(of_rows).tolist():
                rows = np.flatnonzero(of_rows == source)
                kept += rows[sources[source].advance(log_probs[rows], gains[rows])].tolist() if len(rows) else []
            before, of_rows = of_rows, of_rows[kept]
            state = [part[kept] for part in state]
            coverage = coverage[kept] if rules.coverage else coverage
            open_ones = (sources[source].tokens for source in dict.fromkeys(of_rows.tolist()))
            tokens = np.array([hypothesis[-1] for each in open_ones for hypothesis in each])
            seen = seen if np.array_equal(before, of_rows) else [part[of_rows] for part in memory]
        return [source.finished for source in sources]

    def gains(self, rules: Rules, coverage: Array, seen: Sequence[Array], rows: int) -> Array:
        """The penalty (N,) on source steps that were not looked at, as `coverage_penalty` of the library has it."""
        if not rules.coverage:
            return np.zeros(rows, np.float32)
        costs = np.log(np.clip(coverage, np.finfo(np.float32).tiny, 1))
        return np.float32(rules.coverage) * np.where(seen[2], costs, 0).sum(1, dtype=np.float32)


def highest(values: Array, count: int) -> Array:
    """The places of the ``count`` highest of ``values``, the highest first."""
    some = np.argpartition(-values, count)[:count] if count < len(values) else np.arange(len(values))
    return some[np.argsort(-values[some], kind="stable")]
