"""Every public call: right arguments give finite answers, a wrong one gives one clear error, never a wrong answer or a hang."""

import resource
from collections import Counter
from random import Random

import pytest
from bad_inputs import CASES, Case
from calls import calls
from fuzz import outcome, tensors, wrong_values
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_lightning import __all__ as public

ARGUMENTS = sorted((name, argument) for name, call in calls().items() for argument in call.arguments)
GIGABYTES = 2**20  # of what the system counts in kilobytes
UNCALLED = {
    *{"Alignment", "AtomicCheckpointIO", "Batch", "CELLS", "Constraints", "IGNORED", "LawBroken", "Predictor"},
    *{"Recurrent", "Span", "State", "System", "TagPaths", "Transcripts", "load_predictor"},
}
"""Public names that are types, constants or bases, or that only read a folder."""


def test_every_public_name_is_called() -> None:
    assert set(public) - UNCALLED <= set(calls()) and not UNCALLED & set(calls())


@pytest.mark.parametrize("name", calls())
def test_right_arguments_give_finite_answers(name: str) -> None:
    assert all(bool(part.isfinite().all()) for part in tensors(calls()[name]()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {', '.join(case[1])}")
def test_a_wrong_argument_is_named_with_what_is_allowed(case: Case) -> None:
    name, changes, words = case
    with pytest.raises((ValueError, FloatingPointError), match=words) as raised:
        calls()[name](**changes)
    assert "\n" not in str(raised.value)


def test_the_table_is_large() -> None:
    assert len(CASES) >= 170 and len({(name, str(changes)) for name, changes, _ in CASES}) == len(CASES)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(ARGUMENTS), st.integers(0, 2**32))
def test_any_wrong_value_is_refused_clearly_or_harmless(argument: tuple[str, str], seed: int) -> None:
    name, changed = argument
    call, draws = calls()[name], Random(seed)
    kind, reason = outcome(name, call, changed, wrong_values(call.arguments[changed], draws))
    assert kind in ("fine", "clear", "obscure"), f"{name}, {changed}, seed {seed}: {kind}, {reason}"


@pytest.mark.slow
def test_ten_thousand_wrong_values() -> None:
    draws, counts, peak = Random(0), Counter[str](), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        name, changed = draws.choice(ARGUMENTS)
        call = calls()[name]
        counts[outcome(name, call, changed, wrong_values(call.arguments[changed], draws))[0]] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / GIGABYTES
    print(dict(counts), f"{grown:.2f} GB more")
    assert not counts["silent"] and not counts["hang"] and grown < 2
    assert counts["obscure"] <= 100
