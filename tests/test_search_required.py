"""Required phrases: enumeration filtered in plain Python, and what the banks of the beam promise."""

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracles import NEVER, Model, Prefix, assert_found, enumerate_all, limits_of, problems_of

from rnn_lightning.search import BannedPhrases, LengthPower, NoRepeatedNgrams, beam_search

thoroughly = partial(settings, derandomize=True, deadline=None, database=None)
B, END = 3, 0
Required = list[list[list[int]]]


def required_of(vocabulary: int, phrases: int, tokens: int) -> st.SearchStrategy[Required]:
    """Phrases for each of B sentences; they may overlap, be alike, or be none."""
    phrase = st.lists(st.integers(1, vocabulary - 1), min_size=1, max_size=tokens)
    return st.lists(st.lists(phrase, max_size=phrases), min_size=B, max_size=B)


def has_all(tokens: Prefix, phrases: list[list[int]]) -> bool:
    return all(any(list(tokens[start : start + len(phrase)]) == phrase for start in range(len(tokens))) for phrase in phrases)


@thoroughly(max_examples=150)
@given(seed=st.integers(0, 999), longest=st.integers(1, 4), required=required_of(4, 2, 3), sparse=st.booleans())
def test_a_wide_beam_finds_the_best_that_has_all_phrases(seed: int, longest: int, required: Required, sparse: bool) -> None:
    model = Model(seed, 4, B, sparse=sparse)
    limits = limits_of(model, longest, seed)
    problems = problems_of(model, END, limits, score=lambda log_prob, length: log_prob / length)
    expected = [
        [said for said in enumerate_all(problem) if has_all(said.tokens, phrases)][:5]
        for problem, phrases in zip(problems, required, strict=True)
    ]
    options: Any = {"min_length": limits[0], "max_length": limits[1], "n_best": 5, "normalisation": LengthPower()}
    assert_found(beam_search(*model.start, end=END, beam_size=4**longest, required=required, **options), expected, END)


@pytest.mark.parametrize("stop", ["exact", "first", "patience"])
@thoroughly(max_examples=60)
@given(seed=st.integers(0, 999), width=st.integers(1, 4), required=required_of(5, 3, 3))
def test_a_beam_of_any_width_says_all_phrases_in_as_many_steps(stop: str, seed: int, width: int, required: Required) -> None:
    model = Model(seed, 5, B)
    longest = torch.tensor([1 + sum(map(len, phrases)) for phrases in required])
    found = beam_search(*model.start, end=END, max_length=longest, beam_size=width, required=required, stop=stop)
    assert (found.scores > NEVER).all()
    for tokens, phrases in zip(found.tokens[:, 0].tolist(), required, strict=True):
        assert has_all(tuple(tokens), phrases)
    later = beam_search(*model.start, end=END, max_length=longest + 3, beam_size=width, n_best=3, required=required, stop=stop)
    for rows, lengths, phrases in zip(later.tokens.tolist(), later.lengths.tolist(), required, strict=True):
        said = [tuple(tokens[:length]) for tokens, length in zip(rows, lengths, strict=True) if length]
        assert len(set(said)) == len(said) >= 1
        assert all(has_all(tokens, phrases) for tokens in said)


@thoroughly(max_examples=60)
@given(seed=st.integers(0, 999), width=st.integers(1, 5), stop=st.sampled_from(["exact", "first", "patience"]))
def test_sentences_that_require_nothing_are_searched_as_ever(seed: int, width: int, stop: str) -> None:
    model = Model(seed, 6, B)
    search = partial(beam_search, *model.start, end=END, max_length=7, beam_size=width, n_best=2, stop=stop)
    plain, free = search(normalisation=LengthPower()), search(normalisation=LengthPower(), required=[[], [], []])
    torch.testing.assert_close(free, plain, rtol=0, atol=0)
    mixed = search(normalisation=LengthPower(), required=[[], [[1, 2]], []])
    for sentence in (0, 2):
        torch.testing.assert_close(mixed.scores[sentence], plain.scores[sentence], rtol=0, atol=0)
        steps = min(mixed.tokens.shape[2], plain.tokens.shape[2])
        assert mixed.tokens[sentence, :, :steps].equal(plain.tokens[sentence, :, :steps])


def test_phrases_that_cannot_be_said_leave_nothing() -> None:
    model = Model(0, 5, B)
    required = [[[1, 2, 3]], [[4]], []]
    found = beam_search(*model.start, end=END, max_length=3, required=required, rules=[BannedPhrases([[4]])])
    assert found.lengths[:2].tolist() == [[0], [0]]
    assert found.lengths[2, 0] > 0


def test_required_phrases_go_with_rules() -> None:
    model = Model(1, 6, B)
    found = beam_search(
        *model.start, end=END, max_length=9, n_best=3, required=[[[1, 2], [3]]] * B, rules=[NoRepeatedNgrams(1)], min_length=6
    )
    there = found.lengths > 0
    assert there[:, 0].all()
    assert (found.lengths[there] >= 6).all()
    for tokens, length in zip(found.tokens[there].tolist(), found.lengths[there].tolist(), strict=True):
        assert has_all(tuple(tokens), [[1, 2], [3]])
        assert len(set(tokens[:length])) == length
