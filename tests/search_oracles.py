"""Search in plain Python, one sentence at a time, and small models to search: slow, and written without the library's search.

A ``Model`` answers both to tensors (its ``step``) and in lists (its ``log_probs`` of one prefix), from the same table. Its
state is a number made of all tokens so far, so that a row that is reordered wrongly reads from another line of the table.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_lightning.search import Hypotheses, Step
from rnn_lightning.sequences import State

Prefix = tuple[int, ...]
Score = Callable[[float, int], float]
Price = Callable[[Prefix, int, float], float]
"""A prefix, the token that follows and its log-probability, to the log-probability that the search goes by."""

LINES, FACTOR = 2003, 31
NEVER = -math.inf


class Model:
    """A random distribution over what follows each prefix of each sentence; ``sparse``: most tokens rule some others out."""

    def __init__(self, seed: int, vocabulary: int, sentences: int, *, sparse: bool = False) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(LINES, vocabulary, dtype=torch.float64, generator=generator)
        if sparse:
            ruled_out = torch.rand(logits.shape, generator=generator) < 0.4
            ruled_out[torch.arange(LINES), torch.randint(vocabulary, (LINES,), generator=generator)] = False
            logits[ruled_out] = NEVER
        self.table = logits.log_softmax(1)
        self.vocabulary, self.sentences = vocabulary, sentences
        self.first = torch.arange(sentences) % vocabulary
        self.state: State = (1000 * torch.arange(1, sentences + 1), (torch.zeros(sentences, 1, 2),))
        self.rows: list[int] = []

    @property
    def start(self) -> tuple[Step, State, Tensor]:
        """What every search takes first."""
        return self.step, self.state, self.first

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        keys, (others,) = state
        self.rows.append(len(tokens))
        keys = (keys * FACTOR + tokens + 1) % LINES
        return self.table[keys], (keys, (others + 1,))

    def log_probs(self, sentence: int, prefix: Prefix) -> list[float]:
        return self.table[self.key(sentence, prefix)].tolist()

    def key(self, sentence: int, prefix: Prefix) -> int:
        key = 1000 * (sentence + 1)
        for token in (sentence % self.vocabulary, *prefix):
            key = (key * FACTOR + token + 1) % LINES
        return key


@dataclass(frozen=True)
class Said:
    """A finished sequence: its score, its log-probability and its tokens, ``end`` the last."""

    score: float
    log_prob: float
    tokens: Prefix


@dataclass(frozen=True)
class Problem:
    """What is searched for in one sentence of a model."""

    model: Model
    sentence: int
    end: int
    shortest: int
    longest: int
    score: Score = lambda log_prob, length: log_prob
    bonus: Callable[[int], float] = lambda key: 0.0
    price: Price = lambda prefix, token, log_prob: log_prob

    def follow(self, prefix: Prefix) -> Iterator[tuple[int, float, float]]:
        """Each token that may follow, with what the search goes by and the model's log-probability."""
        for token, log_prob in enumerate(self.model.log_probs(self.sentence, prefix)):
            early, late = len(prefix) + 1 < self.shortest, len(prefix) + 1 >= self.longest
            if not (early if token == self.end else late):
                yield token, self.price(prefix, token, log_prob), log_prob

    def said(self, total: float, log_prob: float, tokens: Prefix) -> Said:
        key = self.model.key(self.sentence, tokens[:-1])
        return Said(self.score(total, len(tokens)) + self.bonus(key), log_prob, tokens)


def limits_of(model: Model, longest: int, seed: int) -> tuple[Tensor, Tensor]:
    """Shortest and longest lengths that differ from sentence to sentence."""
    generator = torch.Generator().manual_seed(seed)
    most = torch.randint(1, longest + 1, (model.sentences,), generator=generator)
    least = 1 + (torch.rand(model.sentences, generator=generator) * most).long()
    return least.minimum(most), most


def problems_of(model: Model, end: int, limits: tuple[Tensor, Tensor], **told: Any) -> list[Problem]:
    lengths = zip(*(limit.tolist() for limit in limits), strict=True)
    return [Problem(model, sentence, end, *pair, **told) for sentence, pair in enumerate(lengths)]


def enumerate_all(problem: Problem) -> list[Said]:
    """Every sequence that is possible, the best first."""
    letters = [token for token in range(problem.model.vocabulary) if token != problem.end]
    found = []
    for length in range(1, problem.longest + 1):
        for letters_said in itertools.product(letters, repeat=length - 1):
            tokens, total, log_prob = (*letters_said, problem.end), 0.0, 0.0
            for time, token in enumerate(tokens):
                after = {follower: (ranked, own) for follower, ranked, own in problem.follow(tokens[:time])}
                ranked, own = after.get(token, (NEVER, NEVER))
                total, log_prob = total + ranked, log_prob + own
            if total > NEVER and problem.said(total, log_prob, tokens).score > NEVER:
                found.append(problem.said(total, log_prob, tokens))
    return sorted(found, key=lambda said: -said.score)


Open = tuple[float, float, Prefix]
"""What an open hypothesis is ranked by, the model's log-probability, its tokens."""


def grow(problem: Problem, beam: list[Open], width: int, setback: Callable[[int], float]) -> tuple[list[Open], list[Said]]:
    """One step of a beam, in the manner of Kasai et al. (2022): candidates from the best down until ``width`` are open."""
    candidates = [
        (total + ranked - (setback(token) if token != problem.end else 0), total + ranked, log_prob + own, (*prefix, token))
        for total, log_prob, prefix in beam
        for token, ranked, own in problem.follow(prefix)
        if ranked > NEVER
    ]
    after: list[Open] = []
    ended: list[Said] = []
    for _, total, log_prob, tokens in sorted(candidates, key=lambda candidate: -candidate[0]):
        if len(after) == width:
            break
        if tokens[-1] == problem.end:
            ended.append(problem.said(total, log_prob, tokens))
        else:
            after.append((total, log_prob, tokens))
    return after, [said for said in ended if said.score > NEVER]


@dataclass(frozen=True)
class Beam:
    """How a beam searches: in groups, each of ``width`` and each with a stop of its own; "never" waits for all to end."""

    width: int
    n_best: int
    stop: str = "never"
    patience: float = 1.0
    groups: int = 1
    diversity: float = 0.0

    def search(self, problem: Problem) -> list[Said]:
        """What it finds, the best first."""
        beams: list[list[Open]] = [[(0.0, 0.0, ())] for _ in range(self.groups)]
        pools: list[list[Said]] = [[] for _ in range(self.groups)]
        while any(beams):
            used: list[int] = []
            for group, beam in enumerate(beams):
                beams[group], ended = grow(
                    problem, beam, self.width, lambda token, used=used: self.diversity * used.count(token)
                )
                used += [tokens[-1] for _, _, tokens in beams[group]]
                pools[group] = sorted([*pools[group], *ended], key=lambda said: -said.score)
                if self.stops(problem, beams[group], pools[group]):
                    beams[group] = []
        merged = {said.tokens: said for pool in pools for said in pool}
        return sorted(merged.values(), key=lambda said: -said.score)[: self.n_best]

    def stops(self, problem: Problem, beam: list[Open], pool: list[Said]) -> bool:
        if self.stop == "never" or not beam or len(pool) < self.n_best:
            return False
        if self.stop == "patience":
            return len(pool) >= math.ceil(self.patience * self.width)
        return pool[0].score >= max(problem.score(total, len(tokens)) for total, _, tokens in beam)


def assert_found(found: Hypotheses, expected: list[list[Said]], end: int) -> None:
    """``found`` is what is ``expected`` of each sentence, in that order, and nothing else."""
    assert found.tokens.shape[2] == max(len(said.tokens) for ones in expected for said in [*ones, Said(0, 0, ())])
    for sentence, ones in enumerate(expected):
        told = zip(*(part[sentence].tolist() for part in found), strict=True)
        for place, (tokens, length, value, log_prob) in enumerate(told):
            said = ones[place] if place < len(ones) else Said(NEVER, NEVER, ())
            assert tuple(tokens[:length]) == said.tokens
            assert set(tokens[length:]) <= {end}
            assert (value, log_prob) == pytest.approx((said.score, said.log_prob), abs=1e-9)
