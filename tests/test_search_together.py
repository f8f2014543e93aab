"""All options of beam search at once: whatever they are, what comes back is what was asked for."""

import itertools
from functools import partial
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracles import NEVER, Model, limits_of
from torch import Tensor

from rnn_lightning.search import (
    BannedPhrases,
    GNMTLength,
    LengthPower,
    LengthReward,
    NoRepeatedNgrams,
    RepetitionPenalty,
    Unnormalised,
    beam_search,
    ensemble,
    score,
)
from rnn_lightning.sequences import State, map_state

thoroughly = partial(settings, derandomize=True, deadline=None, database=None)
assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-9, check_dtype=False)
B, V = 4, 6
NO_PAIRS, BANNED = NoRepeatedNgrams(2), BannedPhrases([[5], [2, 2]])


def bonus(state: State) -> Tensor:
    return -((state[0][0] % 5) / 3).double()


options = st.fixed_dictionaries(
    {
        "n_best": st.integers(1, 7),
        "normalisation": st.sampled_from([None, Unnormalised(), LengthPower(0.8), GNMTLength(), LengthReward(0.7)]),
        "stop": st.sampled_from(["exact", "first", "patience"]),
        "patience": st.sampled_from([0.3, 1.0, 3.0]),
        "bonus": st.sampled_from([None, bonus]),
        "rules": st.lists(st.sampled_from([NO_PAIRS, RepetitionPenalty(1.3), BANNED]), unique=True),
        "diversity": st.sampled_from([0.0, 0.6]),
    }
)
required = st.lists(st.lists(st.lists(st.integers(1, V - 2), min_size=1, max_size=2), max_size=2), min_size=B, max_size=B)


def assert_kept(said: tuple[int, ...], rules: list[Any], phrases: list[list[int]]) -> None:
    """A sequence that ends once, has all ``phrases`` and breaks none of ``rules``."""
    pairs = list(itertools.pairwise(said))
    assert said.index(0) == len(said) - 1
    assert all(tuple(phrase) in ([(token,) for token in said] + pairs) for phrase in phrases)
    assert NO_PAIRS not in rules or len(set(pairs)) == len(pairs)
    assert BANNED not in rules or (5 not in said and (2, 2) not in pairs)


@thoroughly(max_examples=150)
@given(
    seed=st.integers(0, 999),
    longest=st.integers(1, 9),
    beam=st.tuples(st.integers(1, 9), st.integers(1, 3)),
    told=options,
    phrases=st.none() | required,
)
def test_all_options_go_together(seed: int, longest: int, beam: tuple[int, int], told: Any, phrases: Any) -> None:
    width, groups = beam if phrases is None else (beam[0], 1)
    models = [Model(seed + more, V, B, sparse=bool(seed % 2)) for more in range(2)]
    start = ensemble([model.step for model in models]), tuple(model.state for model in models), models[0].first
    least, most = limits_of(models[0], longest, seed)
    search = partial(beam_search, beam_size=width * groups, groups=groups, end=0, **told)
    found = search(*start, min_length=least, max_length=most, required=phrases)
    there = found.lengths > 0
    assert there.equal(found.scores > NEVER)
    assert there.equal(found.log_probs > NEVER)
    assert not (found.scores[:, 1:] > found.scores[:, :-1]).any()
    assert ((found.lengths >= least.unsqueeze(1)) & (found.lengths <= most.unsqueeze(1)))[there].all()
    assert_close(score(*start, found.tokens, found.lengths)[there], found.log_probs[there])
    if not told["rules"] and not told["bonus"]:
        by = told["normalisation"] or Unnormalised()
        assert_close(found.scores[there], by.score(found.log_probs, found.lengths)[there])
    for sentence, rows in enumerate(found.tokens.tolist()):
        said = [tuple(tokens[:length]) for tokens, length in zip(rows, found.lengths[sentence].tolist(), strict=True) if length]
        assert len(set(said)) == len(said)
        for tokens in said:
            assert_kept(tokens, told["rules"], (phrases or [[]] * B)[sentence])
    states = map_state(lambda leaf: leaf[1:2], start[1])
    limits = {"min_length": least[1:2], "max_length": most[1:2]}
    alone = search(start[0], states, start[2][1:2], required=phrases and phrases[1:2], **limits)
    assert alone.tokens[0].equal(found.tokens[1, :, : alone.tokens.shape[2]])
    assert_close(alone.scores[0], found.scores[1])
