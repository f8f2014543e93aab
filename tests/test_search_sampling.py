"""Sampling against the distribution that it claims to draw from, and what may be drawn, in plain Python.

Shapes: B sentences, S samples of each, N rows, V tokens.
"""

import itertools
import math
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracles import NEVER, Model, Prefix, Problem, limits_of, problems_of
from torch import Tensor

from rnn_lightning.search import BannedPhrases, NoRepeatedNgrams, beam_search, sample, score
from rnn_lightning.sequences import State

thoroughly = partial(settings, derandomize=True, deadline=None, database=None)
Kept = dict[int, float]
"""Tokens and their probabilities."""


def normalised(weights: Kept) -> Kept:
    total = sum(weights.values())
    return {token: weight / total for token, weight in weights.items() if weight > 0}


def restricted(log_probs: Kept, temperature: float, top_k: int | None, top_p: float | None, min_p: float | None) -> Kept:
    """What may be drawn, and how likely it is."""
    if temperature == 0:
        return {max(log_probs, key=log_probs.__getitem__): 1.0}
    kept = normalised({token: math.exp(value / temperature) for token, value in log_probs.items()})
    likeliest = sorted(kept, key=lambda token: -kept[token])
    kept = normalised({token: kept[token] for token in likeliest[:top_k]})
    if top_p is not None:
        likeliest = sorted(kept, key=lambda token: -kept[token])
        enough = next(count for count in range(1, len(kept) + 1) if sum(kept[t] for t in likeliest[:count]) > top_p - 1e-12)
        kept = normalised({token: kept[token] for token in likeliest[:enough]})
    floor = (min_p or 0) * max(kept.values())
    return normalised({token: chance for token, chance in kept.items() if chance >= floor})


def follow(problem: Problem, prefix: Prefix, told: dict[str, Any]) -> Kept:
    can = {token: ranked for token, ranked, _ in problem.follow(prefix) if ranked > NEVER}
    return restricted(can, **told) if can else {}


def all_drawn(problem: Problem, told: dict[str, Any], prefix: Prefix = ()) -> dict[Prefix, float]:
    """Every sequence that may be drawn, with its chance; () stands for those that come to where nothing may follow."""
    chances: dict[Prefix, float] = {}
    after = follow(problem, prefix, told)
    for token, chance in after.items():
        tails = {(): 1.0} if token == problem.end else all_drawn(problem, told, (*prefix, token))
        for tail, rest in tails.items():
            stuck = token != problem.end and tail == ()
            tokens = () if stuck else (token, *tail)
            chances[tokens] = chances.get(tokens, 0.0) + chance * rest
    return chances if after else {(): 1.0}


def told_of(temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None) -> Any:
    return {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}


WAYS = [
    *(told_of(), told_of(0.5), told_of(2.0), told_of(top_k=2), told_of(top_p=0.7), told_of(min_p=0.4)),
    *(told_of(1.5, 3, 0.8, 0.1), told_of(0.0), told_of(top_k=9, top_p=1.0, min_p=0.0), told_of(top_p=1e-9), told_of(min_p=1.0)),
]


@pytest.mark.parametrize("told", WAYS, ids=str)
def test_sequences_are_drawn_as_often_as_is_claimed(told: dict[str, Any]) -> None:
    samples = 20_000
    model, limits = Model(11, 4, 2, sparse=True), (torch.tensor([1, 2]), torch.tensor([3, 4]))
    drawn = sample(
        *model.start,
        end=1,
        min_length=limits[0],
        max_length=limits[1],
        samples=samples,
        generator=torch.Generator().manual_seed(1),
        **told,
    )
    for sentence, problem in enumerate(problems_of(model, 1, limits)):
        chances = all_drawn(problem, told)
        assert sum(chances.values()) == pytest.approx(1)
        rows = list(zip(drawn.tokens[sentence].tolist(), drawn.lengths[sentence].tolist(), strict=True))
        said = [tuple(tokens[:length]) for tokens, length in rows]
        assert all(set(tokens[length:]) <= {1} for tokens, length in rows)
        assert set(said) <= set(chances)
        for tokens, chance in chances.items():
            deviation = math.sqrt(chance * (1 - chance) / samples)
            assert abs(said.count(tokens) / samples - chance) <= 5 * deviation + 1e-9


@thoroughly(max_examples=150)
@given(
    seed=st.integers(0, 999),
    longest=st.integers(1, 5),
    samples=st.integers(1, 4),
    told=st.fixed_dictionaries(
        {
            "temperature": st.sampled_from([0.0, 0.3, 1.0, 2.5]),
            "top_k": st.sampled_from([None, 1, 2, 7]),
            "top_p": st.sampled_from([None, 0.3, 0.9, 1.0]),
            "min_p": st.sampled_from([None, 0.0, 0.2, 1.0]),
        }
    ),
    sparse=st.booleans(),
)
def test_scores_are_the_chances_of_having_been_drawn(
    seed: int, longest: int, samples: int, told: dict[str, Any], sparse: bool
) -> None:
    model, end = Model(seed, 5, 4, sparse=sparse), seed % 5
    limits = limits_of(model, longest, seed)
    chance = torch.Generator().manual_seed(seed)
    drawn = sample(*model.start, end=end, min_length=limits[0], max_length=limits[1], samples=samples, generator=chance, **told)
    assert drawn.tokens.shape == (4, samples, int(drawn.lengths.max()))
    again = score(*model.start, drawn.tokens, drawn.lengths)
    for sentence, problem in enumerate(problems_of(model, end, limits)):
        for place, (tokens, length) in enumerate(
            zip(drawn.tokens[sentence].tolist(), drawn.lengths[sentence].tolist(), strict=True)
        ):
            assert set(tokens[length:]) <= {end}
            if length == 0:
                assert sparse
                assert drawn.scores[sentence, place] == drawn.log_probs[sentence, place] == NEVER
                continue
            share = math.prod(follow(problem, tuple(tokens[:time]), told)[tokens[time]] for time in range(length))
            assert drawn.scores[sentence, place].item() == pytest.approx(math.log(share), abs=1e-9)
            assert drawn.log_probs[sentence, place].item() == pytest.approx(again[sentence, place].item(), abs=1e-9)


def test_at_temperature_zero_the_greedy_sequence_is_drawn() -> None:
    model = Model(2, 6, 5)
    drawn = sample(*model.start, end=0, max_length=9, samples=2, temperature=0)
    greedy = beam_search(*model.start, end=0, max_length=9, beam_size=1)
    assert drawn.tokens.equal(greedy.tokens.expand_as(drawn.tokens))
    assert not drawn.scores.any()


def test_a_generator_repeats_itself() -> None:
    model = Model(2, 6, 5)
    draw = partial(sample, *model.start, end=0, max_length=9, samples=3)
    first, again = (draw(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert first.tokens.equal(again.tokens)
    assert not first.tokens.equal(draw(generator=torch.Generator().manual_seed(4)).tokens)
    assert len({tuple(row.tolist()) for row in first.tokens[0]}) > 1


def test_samples_keep_the_rules() -> None:
    model = Model(3, 5, 4)
    drawn = sample(
        *model.start, end=0, max_length=9, min_length=3, samples=50, rules=[NoRepeatedNgrams(2), BannedPhrases([[1], [2, 3]])]
    )
    there = drawn.lengths > 0
    assert there.sum() > 100
    for tokens, length in zip(drawn.tokens[there].tolist(), drawn.lengths[there].tolist(), strict=True):
        pairs = list(itertools.pairwise(tokens[:length]))
        assert 1 not in tokens[:length]
        assert (2, 3) not in pairs
        assert len(set(pairs)) == len(pairs)


def test_a_sentence_leaves_when_all_its_samples_have_ended() -> None:
    seen = []

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        left, sentences = state
        seen.append(sentences.tolist())
        ends = torch.tensor([0.0, NEVER]).expand(len(tokens), 2)
        return torch.where(left.unsqueeze(1) > 0, ends.flip(1), ends), (left - 1, sentences)

    waits = torch.tensor([1, 0, 2])
    drawn = sample(step, (waits, torch.arange(3)), waits, end=0, max_length=9, samples=2)
    assert drawn.lengths.tolist() == [[2, 2], [1, 1], [3, 3]]
    assert seen == [[0, 1, 2], [0, 0, 2, 2], [2, 2]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"samples": 0}, "samples must be a whole number of at least 1, not 0"),
        ({"temperature": -1.0}, "temperature must be a finite number of at least 0, not -1.0"),
        ({"temperature": math.nan}, "temperature must be a finite number of at least 0, not nan"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1, not 0"),
        ({"top_p": 0.0}, r"top_p must be a number in \(0, 1\], not 0.0"),
        ({"min_p": 1.5}, r"min_p must be a number in \[0, 1\], not 1.5"),
        ({"end": 4}, "end must be a token, 0..3, not 4"),
        ({"min_length": 6}, "min_length must be at most max_length, 5 for sentence 0, not 6"),
    ],
    ids=str,
)
def test_sampling_says_what_it_cannot_do(wrong: dict[str, Any], message: str) -> None:
    model = Model(0, 4, 2)
    with pytest.raises(ValueError, match=message):
        sample(*model.start, **{"end": 0, "max_length": 5, **wrong})


def test_not_a_number_is_not_drawn_from() -> None:
    table = torch.tensor([[0.0, NEVER, NEVER], [NEVER, NEVER, 0.0], [-9.0, math.nan, -9.0]])
    with pytest.raises(FloatingPointError, match="for token 2"):
        sample(lambda tokens, state: (table[tokens], state), (), torch.tensor([1, 0]), end=0, max_length=4)


def test_no_sentence_has_no_samples() -> None:
    drawn = sample(Model(0, 3, 1).step, (), torch.zeros(0, dtype=torch.int64), end=0, max_length=3, samples=2)
    assert [tuple(part.shape) for part in drawn] == [(0, 2, 0), (0, 2), (0, 2), (0, 2)]
