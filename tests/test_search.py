"""Beam search against enumeration and against the textbook's beam, in double precision.

Shapes: B sentences, N rows, V tokens, P hypotheses asked for.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracles import NEVER, Beam, Model, Score, assert_found, enumerate_all, limits_of, problems_of
from torch import Tensor, nn

from rnn_lightning.recurrent import build_network
from rnn_lightning.search import NORMALISATIONS, LengthPower, Normalisation, beam_search, exhaustive_search, score
from rnn_lightning.sequences import State, map_state

thoroughly = partial(settings, derandomize=True, deadline=None, database=None)
assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-9)

FORMULAS: dict[str, Any] = {
    "none": lambda: lambda s, n: s,
    "power": lambda alpha: lambda s, n: s / n**alpha,
    "gnmt": lambda alpha: lambda s, n: s / ((5 + n) / 6) ** alpha,
    "reward": lambda reward: lambda s, n: s + reward * n,
}
PARAMETERS = {"none": [], "power": [1.0, 0.5, -0.7, 3.0], "gnmt": [0.6, 2.0, -1.0], "reward": [0.5, 2.0, -0.8]}
Named = tuple[str, float | None]
SCORES: list[Named] = [(name, value) for name, values in PARAMETERS.items() for value in values or [None]]
every_score = pytest.mark.parametrize("named", SCORES, ids=str)


def by(named: Named) -> tuple[Normalisation, Score]:
    """A normalisation of the library, and its formula."""
    name, value = named
    told = [] if value is None else [value]
    return NORMALISATIONS[name](*told), FORMULAS[name](*told)


def bonus(state: State) -> Tensor:
    return -((state[0] % 7) / 4).double()


def bonus_of_key(key: int) -> float:
    return -(key % 7) / 4


@dataclass(frozen=True)
class Case:
    """A random model of three sentences, and how it is searched."""

    seed: int
    vocabulary: int
    longest: int
    sparse: bool
    with_bonus: bool
    beam: Beam

    @property
    def end(self) -> int:
        return self.seed % self.vocabulary

    def model(self) -> Model:
        return Model(self.seed, self.vocabulary, 3, sparse=self.sparse)

    def limits(self, model: Model) -> tuple[Tensor, Tensor]:
        return limits_of(model, self.longest, self.seed)

    def options(self, limits: tuple[Tensor, Tensor], named: Named) -> dict[str, Any]:
        """What beam search and exhaustive search are both told."""
        lengths = dict(zip(("min_length", "max_length"), limits, strict=True))
        told = bonus if self.with_bonus else None
        return {**lengths, "end": self.end, "n_best": self.beam.n_best, "bonus": told, "normalisation": by(named)[0]}

    def problems(self, model: Model, named: Named) -> list[Any]:
        told = {"bonus": bonus_of_key} if self.with_bonus else {}
        return problems_of(model, self.end, self.limits(model), score=by(named)[1], **told)


def cases(vocabulary: int, longest: int) -> st.SearchStrategy[Case]:
    beams = st.builds(
        Beam,
        width=st.integers(1, 4),
        n_best=st.integers(1, 4),
        stop=st.sampled_from(["never", "first", "patience"]),
        patience=st.sampled_from([0.4, 1.0, 2.0]),
        groups=st.integers(1, 3),
        diversity=st.sampled_from([0.0, 0.4, 2.0]),
    )
    sizes = {"vocabulary": st.integers(1, vocabulary), "longest": st.integers(1, longest)}
    return st.builds(Case, seed=st.integers(0, 999), **sizes, sparse=st.booleans(), with_bonus=st.booleans(), beam=beams)


@every_score
@thoroughly(max_examples=30)
@given(case=cases(4, 4))
def test_a_wide_beam_finds_the_best_of_all_sequences(named: Named, case: Case) -> None:
    model = case.model()
    expected = [enumerate_all(problem)[: case.beam.n_best] for problem in case.problems(model, named)]
    options = case.options(case.limits(model), named)
    wide = case.vocabulary**case.longest
    assert_found(beam_search(*model.start, beam_size=wide, **options), expected, case.end)
    assert_found(exhaustive_search(*model.start, **options), expected, case.end)


@every_score
@thoroughly(max_examples=40)
@given(case=cases(6, 7))
def test_every_beam_is_the_beam_of_the_textbook(named: Named, case: Case) -> None:
    model, beam = case.model(), case.beam
    found = beam_search(
        *model.start,
        beam_size=beam.width * beam.groups,
        stop="exact" if beam.stop == "never" else beam.stop,  # an exact stop is one that changes nothing
        patience=beam.patience,
        groups=beam.groups,
        diversity=beam.diversity,
        **case.options(case.limits(model), named),
    )
    assert_found(found, [beam.search(problem) for problem in case.problems(model, named)], case.end)


@thoroughly(max_examples=60)
@given(seed=st.integers(0, 999), vocabulary=st.integers(2, 6), longest=st.integers(1, 8), named=st.sampled_from(SCORES))
def test_a_beam_of_one_is_greedy(seed: int, vocabulary: int, longest: int, named: Named) -> None:
    model = Model(seed, vocabulary, 3)
    greedy = []
    for sentence in range(3):
        tokens: list[int] = []
        while 0 not in tokens:
            probabilities = model.log_probs(sentence, tuple(tokens))
            last = len(tokens) + 1 == longest
            tokens.append(0 if last else max(range(vocabulary), key=probabilities.__getitem__))
        greedy.append(tokens)
    normalised = beam_search(*model.start, end=0, max_length=longest, beam_size=1, stop="first", normalisation=by(named)[0])
    exact = beam_search(*model.start, end=0, max_length=longest, beam_size=1)
    for found in (normalised, exact):
        assert [row[0][: int(n)].tolist() for row, n in zip(found.tokens, found.lengths, strict=True)] == greedy


@thoroughly(max_examples=60)
@given(seed=st.integers(0, 999), width=st.integers(1, 8), n_best=st.integers(1, 8), named=st.sampled_from(SCORES))
def test_hypotheses_are_sorted_distinct_and_worth_their_scores(seed: int, width: int, n_best: int, named: Named) -> None:
    model, normalisation = Model(seed, 5, 4), by(named)[0]
    found = beam_search(*model.start, end=2, max_length=6, beam_size=width, n_best=n_best, normalisation=normalisation)
    there = found.scores > NEVER
    assert there[:, 0].all()
    assert (found.scores[:, 1:] <= found.scores[:, :-1]).all()
    ends = (found.tokens == 2).cumsum(2)
    assert (ends.gather(2, (found.lengths - 1).clamp(min=0).unsqueeze(2)).squeeze(2)[there] == 1).all()
    for row, real in zip(found.tokens, there, strict=True):
        assert len({tuple(tokens.tolist()) for tokens in row[real]}) == int(real.sum())
    again = score(*model.start, found.tokens, found.lengths)
    assert_close(found.log_probs[there], again[there])
    assert_close(found.scores[there], normalisation.score(again, found.lengths)[there])


class Network:
    """A small recurrent network as a step; each sentence starts from a state of its own."""

    def __init__(self, sentences: int, vocabulary: int = 7) -> None:
        torch.manual_seed(5)
        self.embedding, self.output = nn.Embedding(vocabulary, 4).double(), nn.Linear(6, vocabulary).double()
        self.network = build_network("lstm", 4, 6, 2).double()
        self.first = torch.zeros(sentences, dtype=torch.int64)
        self.state = map_state(torch.randn_like, self.network.start(torch.zeros(sentences, 1, 4, dtype=torch.float64)))

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, after = self.network(self.embedding(tokens).unsqueeze(1), None, state)
        return (3 * self.output(hidden.squeeze(1))).log_softmax(1), after


@pytest.mark.parametrize("stop", ["exact", "first", "patience"])
def test_sentences_are_searched_apart_in_any_order(stop: str) -> None:
    network, longest = Network(6), torch.tensor([9, 3, 1, 12, 7, 7])
    search = partial(beam_search, network.step, end=1, beam_size=3, n_best=2, stop=stop, normalisation=LengthPower())
    whole = search(network.state, network.first, max_length=longest)
    for rows in [torch.tensor([3, 0, 5, 4, 2, 1]), *torch.arange(6).unsqueeze(1)]:
        state = map_state(lambda leaf, rows=rows: leaf[rows], network.state)
        part = search(state, network.first[rows], max_length=longest[rows])
        steps = part.tokens.shape[2]
        assert part.tokens.equal(whole.tokens[rows][:, :, :steps])
        assert part.lengths.equal(whole.lengths[rows])
        assert_close((part.scores, part.log_probs), (whole.scores[rows], whole.log_probs[rows]))
