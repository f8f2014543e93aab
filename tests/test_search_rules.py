"""Rules and required phrases against enumeration, filtered in plain Python.

Shapes: B sentences, N rows, V tokens, t tokens so far.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracles import NEVER, Beam, Model, Prefix, Problem, assert_found, enumerate_all, limits_of, problems_of
from torch import Tensor

from rnn_lightning.search import (
    BannedPhrases,
    ForcedPrefix,
    LengthPower,
    NoRepeatedNgrams,
    Open,
    RepetitionPenalty,
    Rule,
    beam_search,
    exhaustive_search,
)

thoroughly = partial(settings, derandomize=True, deadline=None, database=None)
B = 3
BANNED = [[2], [1, 1], [0, 3, 0], [3, 1]]
PREFIXES, PREFIX_LENGTHS = torch.tensor([[1, 2, 3], [2, -9, 99], [3, 3, 5]]), torch.tensor([2, 0, 1])
Allows = Callable[[int, Prefix, int], bool]
"""Whether, in a sentence, a prefix may be followed by a token."""


def runs(tokens: Prefix, size: int) -> list[Prefix]:
    return [tokens[start : start + size] for start in range(len(tokens) - size + 1)]


def no_repeats(size: int, sentence: int, prefix: Prefix, token: int) -> bool:
    return (*prefix, token)[-size:] not in runs(prefix, size)


def none_banned(sentence: int, prefix: Prefix, token: int) -> bool:
    return not any((*prefix, token)[-len(phrase) :] == tuple(phrase) for phrase in BANNED)


def as_forced(sentence: int, prefix: Prefix, token: int) -> bool:
    forced = PREFIXES[sentence, : PREFIX_LENGTHS[sentence]].tolist()
    return len(prefix) >= len(forced) or token == forced[len(prefix)]


@dataclass(frozen=True)
class Ruled:
    """A rule of the library and what it means."""

    rule: Rule
    allows: Allows = lambda sentence, prefix, token: True
    factor: float = 1.0

    def price(self, sentence: int, prefix: Prefix, token: int, log_prob: float) -> float:
        if not self.allows(sentence, prefix, token):
            return NEVER
        return log_prob * self.factor if token in prefix else log_prob


RULES = {
    "no token twice": Ruled(NoRepeatedNgrams(1), partial(no_repeats, 1)),
    "no pair twice": Ruled(NoRepeatedNgrams(2), partial(no_repeats, 2)),
    "no triple twice": Ruled(NoRepeatedNgrams(3), partial(no_repeats, 3)),
    "repetition is dear": Ruled(RepetitionPenalty(1.7), factor=1.7),
    "repetition is cheap": Ruled(RepetitionPenalty(0.5), factor=0.5),
    "banned phrases": Ruled(BannedPhrases(BANNED), none_banned),
    "nothing is banned": Ruled(BannedPhrases([])),
    "forced prefixes": Ruled(ForcedPrefix(PREFIXES, PREFIX_LENGTHS), as_forced),
}


def test_a_forced_prefix_follows_the_model_to_its_device() -> None:
    """The device "meta" has shapes and no numbers, and like any other it refuses tensors of another."""
    rule = ForcedPrefix(torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]))
    rows = Open(torch.zeros(2, 1, dtype=torch.int64, device="meta"), torch.tensor([0, 1], device="meta"))
    assert rule(torch.zeros(2, 5, device="meta"), rows).shape == (2, 5)


choices = st.lists(st.sampled_from(sorted(RULES)), min_size=1, max_size=3, unique=True)


def price_of(names: list[str], sentence: int) -> Callable[[Prefix, int, float], float]:
    def price(prefix: Prefix, token: int, log_prob: float) -> float:
        for name in names:
            log_prob = RULES[name].price(sentence, prefix, token, log_prob)
        return log_prob

    return price


def ruled_problems(model: Model, end: int, limits: tuple[Tensor, Tensor], names: list[str]) -> list[Problem]:
    problems = problems_of(model, end, limits, score=lambda log_prob, length: log_prob / length)
    return [replace(problem, price=price_of(names, problem.sentence)) for problem in problems]


@pytest.mark.parametrize("name", RULES)
@thoroughly(max_examples=40)
@given(seed=st.integers(0, 999), time=st.integers(0, 9), rows=st.integers(1, 5))
def test_a_rule_is_what_it_means(name: str, seed: int, time: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    said = torch.randint(6, (rows, time), generator=generator)
    sentences = torch.randint(B, (rows,), generator=generator)
    log_probs = torch.randn(rows, 6, generator=generator, dtype=torch.float64).log_softmax(1)
    log_probs[:, seed % 6] = NEVER
    before = log_probs.clone()
    after = RULES[name].rule(log_probs, Open(said, sentences))
    assert log_probs.equal(before)
    for row in range(rows):
        prefix, sentence = tuple(said[row].tolist()), int(sentences[row])
        prices = [RULES[name].price(sentence, prefix, token, value) for token, value in enumerate(before[row].tolist())]
        assert after[row].tolist() == prices


@thoroughly(max_examples=150)
@given(seed=st.integers(0, 999), longest=st.integers(1, 4), names=choices, sparse=st.booleans())
def test_a_wide_beam_keeps_the_rules_at_no_loss(seed: int, longest: int, names: list[str], sparse: bool) -> None:
    model = Model(seed, 4, B, sparse=sparse)
    end, limits = seed % 4, limits_of(model, longest, seed)
    options: Any = {"end": end, "min_length": limits[0], "max_length": limits[1], "n_best": 5, "normalisation": LengthPower()}
    options["rules"] = [RULES[name].rule for name in names]
    expected = [enumerate_all(problem)[:5] for problem in ruled_problems(model, end, limits, names)]
    assert_found(beam_search(*model.start, beam_size=4**longest, **options), expected, end)
    assert_found(exhaustive_search(*model.start, **options), expected, end)


@thoroughly(max_examples=150)
@given(
    *(st.integers(0, 999), st.integers(1, 9), choices),
    st.builds(Beam, width=st.integers(1, 4), n_best=st.integers(1, 4), groups=st.integers(1, 2), diversity=st.just(0.5)),
)
def test_a_narrow_beam_keeps_the_rules(seed: int, longest: int, names: list[str], beam: Beam) -> None:
    model = Model(seed, 6, B)
    end, limits = seed % 6, limits_of(model, longest, seed)
    found = beam_search(
        *model.start,
        end=end,
        min_length=limits[0],
        max_length=limits[1],
        beam_size=beam.width * beam.groups,
        n_best=beam.n_best,
        groups=beam.groups,
        diversity=beam.diversity,
        normalisation=LengthPower(),
        rules=[RULES[name].rule for name in names],
    )
    expected = [beam.search(problem) for problem in ruled_problems(model, end, limits, names)]
    assert_found(found, expected, end)
