"""A run that was made again beside the stored one: equal bits, or a tolerance where the machine differs, which is told."""

from typing import Any

import pytest

from pipelines.runs.agreement import compare, tolerance
from pipelines.runs.folders import OPTIONAL, TEXTS, Run

HERE = {"torch": "2.13.0", "blas": "mkl"}


def made(value: float = 0.25, **changes: Any) -> Run:
    needed = Run.__dataclass_fields__.keys() - set(OPTIONAL)
    values: dict[str, Any] = {field: "" if field in TEXTS else 0 for field in needed}
    told = {"rnn": "gru", "metrics": {"test/loss": value}, "config": {"seed": 1}}
    return Run.of(values | told | {"hardware": "abacus", "versions": HERE} | changes)


def test_equal_metrics_match_bit_for_bit_on_any_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(made(), made(hardware="loom"), [], HERE)
    said = capsys.readouterr().out
    assert "matches bit for bit" in said and "loom" not in said and "tolerance" not in said


def test_one_bit_makes_a_difference_on_one_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert not compare(made(), made(0.25 + 2**-50), [made()], HERE)
    said = capsys.readouterr().out
    assert "does not match\nnothing that is recorded of the machine differs" in said


@pytest.mark.parametrize(
    ("there", "again", "reason"),
    [
        ({}, {"hardware": "loom"}, "hardware: loom here, abacus there"),
        ({}, {"threads": 2}, "threads: 2 here, 0 there"),
        ({"versions": {**HERE, "torch": "2.1.0"}}, {}, "torch: 2.13.0 here, 2.1.0 there"),
        ({"versions": {**HERE, "blas": "open"}}, {}, "blas: mkl here, open there"),
        ({"versions": {"torch": "2.13.0"}}, {}, "not recorded of the machine there: blas"),
        ({"versions": {}}, {}, "not recorded of the machine there: torch, blas"),
    ],
)
def test_a_difference_of_the_machine_is_told_and_a_tolerance_stated(
    there: dict[str, Any], again: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(made(**there), made(0.2501, **again), [], HERE)
    said = capsys.readouterr().out
    assert "differs by 0.0001, within 0.0025" in said and "matches within the tolerance" in said and reason in said
    assert "the tolerance is 1% of a value, or the span of its stored seeds where that is more" in said
    assert not compare(made(**there), made(0.27, **again), [], HERE)
    said = capsys.readouterr().out
    assert "differs by 0.02, more than 0.0025" in said and "does not match" in said and reason in said


def test_the_seeds_of_the_same_configuration_and_data_widen_the_tolerance() -> None:
    seeds = [made(0.2, config={"seed": 2}), made(0.3, config={"seed": 3})]
    others = [made(0.9, config={"seed": 4, "rnn": {"cell": "elman"}}), made(0.9, config={"seed": 5}, data="other")]
    assert tolerance(made(), [*seeds, *others], "test/loss") == pytest.approx(0.1)
    assert tolerance(made(), others, "test/loss") == pytest.approx(0.0025)


def test_a_metric_that_is_not_measured_again_does_not_agree() -> None:
    assert not compare(made(), made(metrics={"test/other": 1.0}, hardware="loom"), [], HERE)
