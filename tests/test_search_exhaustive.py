"""Exhaustive search (its results are checked in test_search.py), search errors, and scores of given sequences."""

import itertools
import math
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracles import NEVER, Model, enumerate_all, problems_of
from torch import Tensor

from rnn_lightning.search import LengthPower, Step, beam_search, exhaustive_search, score, search_error_rate
from rnn_lightning.sequences import State

thoroughly = partial(settings, derandomize=True, deadline=None, database=None)


def test_the_chances_of_all_sequences_sum_to_one() -> None:
    model = Model(0, 3, 2)
    # Of sequences that are not made to end at the last step.
    found = exhaustive_search(*model.start, end=0, max_length=9, n_best=1000)
    ended = found.log_probs.exp().masked_fill(found.lengths == 9, 0).sum(1)
    assert (found.scores > NEVER).sum(1).tolist() == [2**9 - 1] * 2
    unended = [
        sum(math.exp(said.log_prob - model.log_probs(sentence, said.tokens[:-1])[0]) for said in every if len(said.tokens) == 9)
        for sentence, every in enumerate(
            enumerate_all(problem) for problem in problems_of(model, 0, (torch.tensor([1, 1]), torch.tensor([9, 9])))
        )
    ]
    assert (ended + torch.tensor(unended, dtype=torch.float64)).tolist() == pytest.approx([1, 1], abs=1e-9)


@pytest.mark.parametrize(("vocabulary", "longest", "sequences"), [(3, 4, 15), (1, 9, 1), (5, 1, 1), (2, 7, 7), (4, 3, 13)])
def test_a_limit_is_kept(vocabulary: int, longest: int, sequences: int) -> None:
    model = Model(0, vocabulary, 2)
    search = partial(exhaustive_search, *model.start, end=0, max_length=longest, n_best=sequences + 2)
    assert search(limit=2 * sequences).lengths.gt(0).sum(1).tolist() == [sequences] * 2
    message = (
        f"2 sentences of at most T = {longest} tokens, of a vocabulary of V = {vocabulary}, .* limit = {2 * sequences - 1}"
    )
    with pytest.raises(ValueError, match=message):
        search(limit=2 * sequences - 1)
    assert len(model.rows) == (1 if vocabulary == 1 else longest) + 1  # refused after one step


def test_a_problem_far_too_large_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="T = 1000000 tokens, of a vocabulary of V = 50, have more than limit = 100000"):
        exhaustive_search(*Model(0, 50, 1).start, end=0, max_length=1_000_000)


def test_search_errors_are_counted() -> None:
    # From 1 a greedy search goes wrong, as in test_search_beam.py; from 3 there is nothing to do wrong.
    table = torch.tensor([[1, 0, 0, 0], [0, 0, 0.6, 0.4], [0.5, 0, 0.25, 0.25], [1, 0, 0, 0]]).double().log()
    first = torch.tensor([1, 3, 3, 1, 3])
    rate = partial(
        search_error_rate,
        *(lambda tokens, state: (table[tokens], state), (torch.zeros(5),), first),
        end=0,
        max_length=4,
    )
    assert rate(beam_size=1) == pytest.approx(0.4)
    assert rate(beam_size=2) == 0
    with pytest.raises(ValueError, match="at least one sentence"):
        search_error_rate(lambda tokens, state: (table[tokens], state), (), first[:0], end=0, max_length=4, beam_size=1)


@thoroughly(max_examples=40)
@given(seed=st.integers(0, 999), width=st.integers(1, 3), stop=st.sampled_from(["exact", "first"]))
def test_search_errors_are_those_of_both_searches(seed: int, width: int, stop: str) -> None:
    model = Model(seed, 4, 8)
    told: Any = {"end": 0, "max_length": 4, "normalisation": LengthPower()}
    found = beam_search(*model.start, beam_size=width, stop=stop, **told)
    best = exhaustive_search(*model.start, **told)
    missed = [
        row[0].tolist() != other[0].tolist() for row, other in zip(found.tokens, _padded(best.tokens, found), strict=True)
    ]
    assert search_error_rate(*model.start, beam_size=width, stop=stop, **told) == sum(missed) / 8


def _padded(tokens: Tensor, like: Any) -> Tensor:
    steps = like.tokens.shape[2]
    more = torch.zeros(*tokens.shape[:2], max(0, steps - tokens.shape[2]), dtype=torch.int64)
    return torch.cat([tokens, more], 2)[:, :, :steps]


def test_scores_of_given_sequences_are_sums_of_log_probabilities() -> None:
    model = Model(8, 3, 2)
    every = torch.tensor(list(itertools.product(range(3), repeat=4)))  # ending or not: any sequence has a probability
    tokens = every.expand(2, *every.shape)
    lengths = torch.arange(tokens.shape[1]).remainder(5).expand(2, -1)
    expected = [
        [
            sum(model.log_probs(sentence, tuple(said[:time]))[said[time]] for time in range(length))
            for said, length in zip(every.tolist(), lengths[0].tolist(), strict=True)
        ]
        for sentence in range(2)
    ]
    scores = score(*model.start, tokens, lengths)
    torch.testing.assert_close(scores, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(score(*model.start, tokens[:, 7], lengths[:, 7]), scores[:, 7])


def test_scores_have_gradients() -> None:
    weight = torch.zeros(3, requires_grad=True)

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        return weight.log_softmax(0).expand(len(tokens), 3), state

    scores = score(step, torch.zeros(1), torch.tensor([0]), torch.tensor([[1, 1, 2]]), torch.tensor([2]))
    scores.sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.tensor([-2 / 3, 4 / 3, -2 / 3]))


def test_only_tokens_that_count_are_looked_at() -> None:
    table = torch.tensor([[math.nan, 0.0], [math.nan, 0.0]])
    told: tuple[Step, State, Tensor] = (lambda tokens, state: (table[tokens], state)), (), torch.tensor([1])
    assert score(*told, torch.tensor([[1, 1, 0]]), torch.tensor([2])).item() == 0
    assert score(*told, torch.tensor([[1, 1, -100]]), torch.tensor([2])).item() == 0
    with pytest.raises(FloatingPointError, match="for token 3"):
        score(*told, torch.tensor([[1, 1, 0]]), torch.tensor([3]))


@pytest.mark.parametrize(
    ("tokens", "lengths", "message"),
    [
        (torch.zeros(2), torch.zeros(2), r"shape \(2, T\) or \(2, n, T\), not torch.int64 of shape \(2,\)"),
        (torch.zeros(3, 4), torch.zeros(3), r"of shape \(3, 4\)"),
        (torch.zeros(2, 0, 4), torch.zeros(2, 0), r"of shape \(2, 0, 4\)"),
        (torch.zeros(2, 4), torch.tensor([1]), r"lengths must have shape \(2,\), not \(1,\)"),
        (torch.zeros(2, 4), torch.tensor([1, 5]), r"lengths\[1\] is 5; it must lie in 0..4"),
    ],
    ids=str,
)
def test_scoring_says_what_it_cannot_do(tokens: Tensor, lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(*Model(0, 3, 2).start, tokens.long(), lengths.long())
