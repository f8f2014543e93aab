"""Beams and samples over a decoder's graph, as `rnn_lightning.search` has them: the same hypotheses, and when they end.

Shapes: B sources, S steps of the longest, R rows (open hypotheses) of a source or a group, N rows of all, V tokens.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..items.searches import check_found, contains
from .constraints import Continued, constrain, select_required
from .rules import Rules, Scored
from .sampling import SampledSource
from .session import Array


@dataclass
class Group:
    """A part of a beam that is searched for itself: its open hypotheses, of so many tokens, and the best that have ended."""

    rules: Rules
    longest: int
    tokens: list[list[int]] = field(default_factory=lambda: [[]])
    totals: Array = field(default_factory=lambda: np.zeros(1, np.float32))
    finished: list[Scored] = field(default_factory=list)
    ended: int = 0
    length: int = 0

    def advance(self, log_probs: Array, gains: Array, used: Array) -> list[int]:
        """Extend the hypotheses by ``log_probs`` (R, V), and give the rows that are extended; none where the search is over.

        ``gains`` (R,) are added to the scores of those that end now. ``used`` (V,) counts how often earlier groups went on with
        each token in this step, and this one's are added.
        """
        self.length += 1
        rules, last = self.rules, self.length >= self.longest
        ranked = constrain(log_probs, self.tokens, rules.constraints)
        ends = self.totals + ranked[:, rules.end]
        chosen, lowest = self.select(ranked, used)
        if self.length >= rules.min_length:
            may = np.array([all(contains(row, phrase) for phrase in rules.constraints.required) for row in self.tokens])
            self.end(ends, may & (ends >= (-np.inf if last else lowest)), gains)
        np.add.at(used, [each.token for each in chosen], 1)
        totals = [self.totals[each.row] + ranked[each.row, each.token] for each in chosen]
        self.totals = np.array(totals, np.float32)
        if last or not chosen or self.over():
            self.tokens, self.totals = [], self.totals[:0]
            return []
        self.tokens = [[*self.tokens[each.row], each.token] for each in chosen]
        return [each.row for each in chosen]

    def select(self, ranked: Array, used: Array) -> tuple[list[Continued], float]:
        """The continuations that stay open, and the lowest of their ranks, -inf where there are fewer than the group keeps."""
        rules = self.rules
        sums = self.totals[:, None] + (ranked - np.float32(rules.diversity) * used if rules.diversity else ranked)
        sums[:, rules.end] = -np.inf
        places = highest(sums.ravel(), rules.width)
        rows, tokens = np.divmod(places, ranked.shape[1])
        ranks = sums.ravel()[places].tolist()
        chosen = [Continued(*each) for each in zip(ranks, rows.tolist(), tokens.tolist(), strict=True) if each[0] > -np.inf]
        if rules.constraints.required:
            chosen = select_required(sums, self.tokens, chosen, rules.constraints.required, rules.width)
        return chosen, min(each.rank for each in chosen) if len(chosen) == rules.width else -np.inf

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
        return self.ended >= max(math.ceil(rules.patience * rules.width), rules.n_best)


class BeamSource:
    """The beam search for one source, in the groups of its beam."""

    def __init__(self, rules: Rules, longest: int) -> None:
        self.rules, self.groups = rules, [Group(rules, longest) for _ in range(rules.groups)]

    def advance(self, log_probs: Array, gains: Array) -> list[int]:
        """As `Group.advance`, for the rows of all groups, one group behind the other; in the first step one row is of all."""
        used, kept, start = np.zeros(log_probs.shape[1], np.float32), [], 0
        first = not any(group.length for group in self.groups)
        for group in (group for group in self.groups if group.tokens):
            rows = slice(start, start + len(group.tokens))
            kept += [start + row for row in group.advance(log_probs[rows], gains[rows], used)]
            start = 0 if first else rows.stop
        return kept

    @property
    def last_tokens(self) -> list[int]:
        """The last token of each open hypothesis."""
        return [tokens[-1] for group in self.groups for tokens in group.tokens]

    @property
    def found(self) -> list[Scored]:
        """The best hypotheses, each once."""
        merged: dict[tuple[int, ...], Scored] = {}
        for each in sorted((one for group in self.groups for one in group.finished), key=lambda one: -one[0]):
            merged.setdefault(tuple(each[1]), each)
        return list(merged.values())[: self.rules.n_best]


@dataclass
class Decoder:
    """A step of a decoder as a graph; the arrays that it looks at come ``looks`` in number before those of its state."""

    step: Callable[..., Sequence[Array]]
    looks: int
    has_weights: bool

    def search(self, rules: Rules, longest: Sequence[int], parts: Sequence[Array]) -> list[list[Scored]]:
        """What is found for each source, the best first, with scores; ``parts`` are what the encoder's graph returns, and
        ``longest`` (B,) the most tokens of each, its end included.

        Raises:
            UnsatisfiedError: where nothing that is found for a source satisfies the constraints.
        """
        sources = [(SampledSource if rules.sampling else BeamSource)(rules, most) for most in longest]
        memory, state = list(parts[: self.looks]), list(parts[self.looks :])
        of_rows = np.arange(len(sources))
        tokens, seen, coverage = np.full(len(sources), rules.end), memory, np.zeros(1)
        while len(of_rows):
            log_probs, *more = self.step(tokens, *seen, *state)
            coverage = coverage + more[0] if self.has_weights and rules.coverage else coverage
            gains = self.gains(rules, coverage, seen, len(of_rows))
            state, kept, active = more[int(self.has_weights) :], [], np.unique(of_rows).tolist()
            for source in active:
                rows = np.flatnonzero(of_rows == source)
                kept += rows[sources[source].advance(log_probs[rows], gains[rows])].tolist()
            before, of_rows = of_rows, of_rows[kept]
            state = [part[kept] for part in state]
            coverage = coverage[kept] if rules.coverage else coverage
            tokens = np.array([token for source in active for token in sources[source].last_tokens], np.int64)
            seen = seen if np.array_equal(before, of_rows) else [part[of_rows] for part in memory]
        found = [source.found for source in sources]
        check_found(found, rules.constraints, longest, None if rules.sampling else rules.beam_size)
        return found

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
