"""Beam search on tables small enough to be searched by hand: what it returns, what it asks of a model, and what it refuses.

Shapes: B sentences, N rows, V tokens.
"""

import math
from typing import Any

import pytest
import torch
from search_oracles import NEVER, Model
from torch import Tensor

from rnn_lightning.search import (
    GNMTLength,
    LengthPower,
    LengthReward,
    Normalisation,
    Step,
    beam_search,
    exhaustive_search,
    score,
)
from rnn_lightning.search.selection import select_diverse
from rnn_lightning.sequences import State

FIRST = torch.tensor([1])
NO_STATE: State = (torch.zeros(1, 1),)


def chain(table: list[list[float]]) -> Step:
    """A model that looks at the last token alone: rows of probabilities."""
    log_probs = torch.tensor(table, dtype=torch.float64).log()
    return lambda tokens, state: (log_probs[tokens], state)


def test_a_beam_of_two_finds_what_a_greedy_search_misses() -> None:
    # Token 2 is likelier at first, but what follows it is not; after 3 the end is certain.
    step = chain([[1, 0, 0, 0], [0, 0, 0.6, 0.4], [0.5, 0, 0.25, 0.25], [1, 0, 0, 0]])
    greedy, found = (beam_search(step, NO_STATE, FIRST, end=0, max_length=5, beam_size=size) for size in (1, 2))
    assert greedy.tokens.tolist() == [[[2, 0]]]
    assert math.exp(greedy.log_probs[0, 0]) == pytest.approx(0.3)
    assert found.tokens.tolist() == [[[3, 0]]]
    assert math.exp(found.log_probs[0, 0]) == pytest.approx(0.4)


@pytest.mark.parametrize(("stop", "expected"), [("first", [0]), ("patience", [0]), ("exact", [2, 0])])
def test_with_normalised_lengths_only_an_exact_stop_is_right(stop: str, expected: list[int]) -> None:
    # log 0.6 / 1 beats log 0.4 / 1, but not log 0.4 / 2.
    step = chain([[1, 0, 0], [0.6, 0, 0.4], [1, 0, 0]])
    found = beam_search(
        *(step, NO_STATE, FIRST), end=0, max_length=5, beam_size=1, stop=stop, normalisation=LengthPower(), patience=1
    )
    best = exhaustive_search(step, NO_STATE, FIRST, end=0, max_length=5, normalisation=LengthPower())
    assert found.tokens[0, 0].tolist() == expected
    assert best.tokens[0, 0].tolist() == [2, 0]


def count_steps(table: list[list[float]], **told: Any) -> tuple[list[int], int]:
    """The best sequence that a beam of three finds, and how many steps it took."""
    step, calls = chain(table), []

    def counted(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        calls.append(len(tokens))
        return step(tokens, state)

    found = beam_search(counted, NO_STATE, FIRST, end=0, max_length=50, beam_size=3, **told)
    return found.tokens[0, 0].tolist(), len(calls)


def test_an_exact_stop_stops_as_soon_as_nothing_can_win() -> None:
    table = [[1, 0, 0], [0.6, 0, 0.4], [0.01, 0, 0.99]]
    assert count_steps(table) == ([0], 1)  # what goes on has 0.4 at most
    assert count_steps(table, normalisation=LengthReward(-0.1)) == ([0], 1)
    best, steps = count_steps(table, normalisation=LengthReward(0.2))  # more than a token costs
    assert (len(best), steps) == (50, 50)
    # The next length is 3: log 0.6 - 2 cannot be beaten, as log 0.4 - 1 could.
    assert count_steps([[1, 0, 0], [0, 0, 1], [0.6, 0, 0.4]], normalisation=LengthReward(-1.0)) == ([2, 0], 2)


def test_an_exact_stop_waits_for_what_can_win_at_once() -> None:
    # log 0.8 - 3 beats log 0.2 - 2.
    table = [[1, 0, 0, 0], [0, 0, 1, 0], [0.2, 0, 0, 0.8], [1, 0, 0, 0]]
    assert count_steps(table, normalisation=LengthReward(-1.0)) == ([2, 3, 0], 3)


@pytest.mark.parametrize(("patience", "steps"), [(0.1, 1), (0.5, 2), (1.0, 2), (1.1, 3), (2.0, 3), (2.1, 4)])
def test_patience_is_a_number_of_finished_hypotheses(patience: float, steps: int) -> None:
    # The end is always the likeliest: one sequence ends at once, two with their second token, three with each one after that.
    table = [[1, 0, 0], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    assert count_steps(table, stop="patience", patience=patience, normalisation=LengthPower())[1] == steps


@pytest.mark.parametrize(
    "normalisation", [LengthPower(0.7), LengthPower(-0.7), GNMTLength(), LengthReward(0.5), LengthReward(-1)]
)
@pytest.mark.parametrize("log_prob", [0.0, -0.4, -7.0])
def test_a_bound_is_kept_and_reached(normalisation: Normalisation, log_prob: float) -> None:
    least, most = torch.tensor(3), torch.tensor(9)
    bound = normalisation.bound(torch.tensor(log_prob), least, most)
    scores = [
        normalisation.score(torch.tensor(log_prob - cost), torch.tensor(length)).item()
        for cost in (0.0, 0.1, 2.0)
        for length in range(3, 10)
    ]
    assert bound.item() == pytest.approx(max(scores))


def test_the_batch_shrinks_as_sentences_finish() -> None:
    waits, seen = torch.tensor([0, 2, 1, 4]), []

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        left, sentences = state
        seen.append(sentences.tolist())
        log_probs = torch.zeros(len(tokens), 4).log_softmax(1)
        log_probs[left == 0] = torch.tensor([0.0, NEVER, NEVER, NEVER])
        log_probs[left > 0, 0] = NEVER
        return log_probs, (left - 1, sentences)

    found = beam_search(step, (waits, torch.arange(4)), waits, end=0, max_length=9, beam_size=3)
    assert found.lengths.squeeze(1).tolist() == [1, 3, 2, 5]
    # One row a sentence at first, then three for each that is left, sentence by sentence.
    assert seen == [[0, 1, 2, 3], [1, 1, 1, 2, 2, 2, 3, 3, 3], [1, 1, 1, 3, 3, 3], [3, 3, 3], [3, 3, 3]]


def test_finished_hypotheses_take_no_place_in_the_beam() -> None:
    # Each time the end is the likeliest, and each time the one open hypothesis goes on.
    step = chain([[1, 0, 0], [0.4, 0.35, 0.25], [1, 0, 0]])
    found = beam_search(step, NO_STATE, FIRST, end=0, max_length=4, beam_size=1, n_best=5)
    assert found.lengths.tolist() == [[1, 2, 3, 4, 0]]
    assert found.log_probs[0, :4].exp().tolist() == pytest.approx([0.4 * 0.35**time for time in range(4)])


def test_a_beam_may_be_wider_than_the_vocabulary() -> None:
    found = beam_search(chain([[1.0]]), NO_STATE, torch.tensor([0]), end=0, max_length=3, beam_size=9, n_best=3)
    assert found.tokens.tolist() == [[[0], [0], [0]]]
    assert found.lengths.tolist() == [[1, 0, 0]]
    assert found.scores.tolist() == [[0, NEVER, NEVER]]


def test_where_nothing_may_follow_nothing_is_found() -> None:
    found = beam_search(chain([[0.0, 0.0]]), NO_STATE, torch.tensor([0]), end=0, max_length=3, beam_size=2)
    assert found.tokens.shape == (1, 1, 0)
    assert found.lengths.tolist() == [[0]]
    assert found.scores.tolist() == found.log_probs.tolist() == [[NEVER]]


def test_a_batch_may_be_empty() -> None:
    state, first = (torch.zeros(0, 2),), torch.zeros(0, dtype=torch.int64)
    for search in (beam_search, exhaustive_search):
        found = search(Model(0, 3, 1).step, state, first, end=0, max_length=3, n_best=2)
        assert [tuple(part.shape) for part in found] == [(0, 2, 0), (0, 2), (0, 2), (0, 2)]
    assert score(Model(0, 3, 1).step, state, first, torch.zeros(0, 4).long(), torch.zeros(0).long()).shape == (0,)


@pytest.mark.parametrize(("given", "kept"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_sums_are_kept_in_single_precision_at_least(given: torch.dtype, kept: torch.dtype) -> None:
    model = Model(3, 6, 2)
    found = beam_search(
        lambda tokens, state: ((answer := model.step(tokens, state))[0].to(given), answer[1]),
        *model.start[1:],
        end=0,
        max_length=20,
        min_length=20,
    )
    assert found.scores.dtype == found.log_probs.dtype == kept
    torch.testing.assert_close(
        found.log_probs.double(), score(*model.start, found.tokens, found.lengths), rtol=0, atol=0.2 if given != kept else 1e-9
    )


def test_not_a_number_is_refused() -> None:
    for value, error in [(math.nan, FloatingPointError), (math.inf, FloatingPointError), (0.7, ValueError)]:
        table = torch.tensor([[0.0, NEVER, NEVER], [NEVER, NEVER, 0.0], [-9.0, -9.0, value]])
        for search in (beam_search, exhaustive_search):
            with pytest.raises(error, match="for token 2"):
                search(lambda tokens, state, table=table: (table[tokens], state), NO_STATE, FIRST, end=0, max_length=5)


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.7])
def test_what_a_dead_row_reads_does_not_matter(value: float) -> None:
    # Only 3 can follow 1, and a beam of four is filled up with rows that read lines 0, 1 and 2.
    half = math.log(0.5)
    table = torch.tensor([[value] * 4, [NEVER, NEVER, NEVER, 0.0], [value] * 4, [half, NEVER, NEVER, half]])
    start: Any = (lambda tokens, state: (table[tokens], state)), NO_STATE, FIRST
    ways: list[dict[str, Any]] = [{}, {"groups": 2, "diversity": 0.5}, {"required": [[[3]]]}]
    every = [beam_search(*start, end=0, max_length=4, beam_size=4, n_best=4, **told) for told in ways]
    for found in [*every, exhaustive_search(*start, end=0, max_length=4, n_best=4)]:
        assert found.tokens.tolist() == [[[3, 0, 0, 0], [3, 3, 0, 0], [3, 3, 3, 0], [0, 0, 0, 0]]]
        assert found.log_probs[0].tolist() == pytest.approx([half, 2 * half, 3 * half, NEVER])


def test_a_dead_row_sets_no_token_back() -> None:
    # The first group can only end; so wide a group is filled up with dead rows that stand for every token.
    log_probs = torch.tensor([[[[0.0, NEVER, NEVER]], [[NEVER, -1.0, -2.0]]]])  # (A, G, R, V)
    chosen = select_diverse(log_probs, torch.zeros(1, 2, 1), end=0, width=4, strength=9.0)
    assert chosen.ranks.tolist() == [[[NEVER] * 4, [-1.0, -2.0, NEVER, NEVER]]]
    assert chosen.totals.equal(chosen.ranks)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"beam_size": 0}, "beam_size must be a whole number of at least 1, not 0"),
    ({"n_best": 0}, "n_best must be a whole number of at least 1, not 0"),
    ({"groups": 0}, "groups must be a whole number of at least 1, not 0"),
    ({"groups": 2}, "groups must divide beam_size, 5, which 2 does not"),
    ({"groups": 5, "required": [[], []]}, "groups to be 1, not 5"),
    ({"diversity": -1.0}, "diversity must be a finite number of at least 0, not -1.0"),
    ({"stop": "soon"}, r"stop must be one of \['exact', 'first', 'patience'\], not 'soon'"),
    ({"patience": 0.0}, "patience must be a finite number above 0, not 0.0"),
    ({"max_length": 0}, "max_length must be a whole number of at least 1, not 0"),
    ({"max_length": torch.tensor([3, 0])}, "max_length must be at least 1"),
    ({"max_length": torch.tensor([3])}, r"max_length must be one number or have shape \(2,\), not \(1,\)"),
    ({"max_length": 3.0}, "max_length must be a whole number of at least 1, not 3.0"),
    ({"min_length": torch.tensor([3, 5])}, "min_length must be at most max_length, 4 for sentence 1, not 5"),
    ({"end": -1}, "end must be a whole number of at least 0, not -1"),
    ({"end": 3}, "end must be a token, 0..2, not 3"),
    ({"first": torch.zeros(2)}, r"first must be int64 of shape \(B,\), not torch.float32 of shape \(2,\)"),
    ({"state": (torch.zeros(2), torch.zeros(3, 1))}, r"2 rows, one a sentence, not shape \(3, 1\)"),
    ({"step": lambda tokens, state: (torch.zeros(3), state)}, r"log-probabilities of shape \(2, V\), not \(3,\)"),
    ({"bonus": lambda state: torch.ones(2)}, "bonus must return 0 or less, not 1.0"),
    ({"bonus": lambda state: torch.tensor([0.0, math.nan])}, "bonus must return 0 or less, not nan"),
    ({"required": [[[1]]]}, "a list of phrases for each of 2 sentences, not 1 lists"),
    ({"required": [[[]], []]}, r"a required phrase must be tokens, .* not \[\]"),
    ({"required": [[[1, 0]], []]}, r"none negative or 0 \(end\), not \[1, 0\]"),
    ({"required": [[[7]], []]}, r"a required phrase must be made of tokens 0..2, not 7"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_a_search_says_what_it_cannot_do(wrong: dict[str, Any], message: str) -> None:
    model = Model(0, 3, 2)
    told = {"step": model.step, "state": model.state, "first": model.first, "end": 0, "max_length": 4, **wrong}
    with pytest.raises(ValueError, match=message):
        beam_search(**told)
