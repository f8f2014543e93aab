"""Differences between rows: against arithmetic, against enumeration of what chance alone would make, and in the report."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from often import some
from run_folders import make_run, make_task, undrawn

from pipelines import compare as stage
from pipelines.comparing.differences import Difference, differences, holm
from pipelines.comparing.sections import Section
from pipelines.comparing.summary import Spread
from pipelines.results import results
from pipelines.settings.schema import Metric

LOSSES = {"lstm": [2.0, 2.1, 2.3, 2.2], "gru": [2.1, 2.25, 2.4, 2.28], "elman": [3.0, 3.3, 3.1, 3.2]}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    undrawn(monkeypatch)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_task(tmp_path, "words")
    for rnn, losses in LOSSES.items():
        for seed, loss in enumerate(losses):
            make_run(tmp_path, "words", rnn, seed, {"test/loss": loss})
    return tmp_path


def make_variant(project: Path, losses: list[float]) -> None:
    make_task(project, "letters", "Letters")
    with (project / "conf/task/letters.yaml").open("a") as file:
        file.write("variant: {of: words, name: spelled}\n")
    for seed, loss in enumerate(losses):
        make_run(project, "letters", "lstm", seed, {"test/loss": loss})


def compare(project: Path, *tasks: str) -> list[Section]:
    return stage.compare(project / "runs", project / "reports", conf=project / "conf", data=project / "data", tasks=tasks)


def test_means_and_intervals_are_those_of_the_pairs(project: Path) -> None:
    (section,) = compare(project)
    for found in section.differences:
        other = LOSSES["gru" if found.other == "GRU" else "elman"]
        apart = np.array(LOSSES["lstm"]) - np.array(other)
        assert (found.best, found.seeds) == ("LSTM", 4)
        assert found.spread.mean == pytest.approx(apart.mean())
        assert found.spread.half == pytest.approx(3.182 * apart.std(ddof=1) / 2, rel=1e-3)  # Student's t at 95%, 3 degrees


def test_the_effect_is_the_share_of_pairs_that_the_best_wins(project: Path) -> None:
    (section,) = compare(project)
    for found in section.differences:
        other = LOSSES["gru" if found.other == "GRU" else "elman"]
        pairs = list(product(LOSSES["lstm"], other))
        wins = sum((ours < theirs) + 0.5 * (ours == theirs) for ours, theirs in pairs) / len(pairs)
        assert found.wins == pytest.approx(wins)
        assert found.effect == ("large" if 2 * wins - 1 >= 0.474 else "medium" if 2 * wins - 1 >= 0.33 else "small")
    assert f"large ({1.0:.0%} of pairs)" in (project / "reports/comparison.md").read_text()


@pytest.mark.parametrize(
    ("wins", "word"),
    [(0.5, "negligible"), (0.57, "negligible"), (0.6, "small"), (0.7, "medium"), (1.0, "large"), (0.0, "large")],
)
def test_words_for_effects(wins: float, word: str) -> None:
    assert Difference("a", "b", Spread(1.0, None), None, 3, wins).effect == word


def rejected(chances: Sequence[float], level: float) -> set[int]:
    """Holm's procedure itself: the smallest p-value against the level over all tests, the next against that over the others,
    and so on to the first that is larger."""
    found, waiting = set[int](), sorted(range(len(chances)), key=chances.__getitem__)
    while waiting and chances[waiting[0]] <= level / len(waiting):
        found.add(waiting.pop(0))
    return found


@given(st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.025, 0.03, 0.05, 0.2, 0.7, 1.0]), max_size=6))
def test_a_corrected_p_value_is_the_level_that_rejects_it(chances: list[float]) -> None:
    corrected = holm(chances)
    for place, value in enumerate(corrected):
        assert value == 1 or place in rejected(chances, value * (1 + 1e-12))
        assert value == 0 or place not in rejected(chances, value * (1 - 1e-9))


def test_p_values_agree_with_a_normal_world() -> None:
    """Under no difference, Holm's correction calls one of three pairs a finding in about 5% of the worlds, not in 15%."""
    from types import SimpleNamespace
    from typing import Any, cast

    draws = np.random.default_rng(1)
    task: Any = SimpleNamespace(metric=Metric(name="test/loss", mode="min"))
    called = 0
    for _ in range(600):
        rows: list[Any] = []
        for name in "abcd":
            runs = [SimpleNamespace(seed=seed, metrics={"test/loss": draws.normal()}) for seed in range(6)]
            rows.append(SimpleNamespace(label=name, runs=runs))
        called += any(cast(float, each.p) < 0.05 for each in differences(rows, task))
    assert 0.02 < called / 600 < 0.08


def test_the_correction_multiplies_the_smallest_and_keeps_the_order(project: Path) -> None:
    (section,) = compare(project)
    plain = {}
    for found in section.differences:
        apart = np.array(LOSSES["lstm"]) - np.array(LOSSES["gru" if found.other == "GRU" else "elman"])
        statistic = apart.mean() / (apart.std(ddof=1) / 2)
        grid = np.linspace(-400, 400, 4_000_001)
        density = (1 + grid**2 / 3) ** -2  # Student's t with 3 degrees of freedom, up to a factor
        plain[found.other] = density[np.abs(grid) >= abs(statistic)].sum() / density.sum()
    first, second = sorted(plain, key=lambda name: plain[name])
    corrected = {found.other: found.p for found in section.differences}
    assert corrected[first] == pytest.approx(2 * plain[first], rel=0.01)
    assert corrected[second] == pytest.approx(max(plain[second], 2 * plain[first]), rel=0.01)


def test_only_seeds_in_common_count_and_two_are_needed(project: Path) -> None:
    for seed in (0, 1):
        (project / f"runs/words/gru/{seed}/metrics.json").unlink()
    for seed in (1, 2, 3):
        (project / f"runs/words/elman/{seed}/metrics.json").unlink()
    (section,) = compare(project)
    assert [(found.other, found.seeds) for found in section.differences] == [("GRU", 2)]


def test_equal_differences_have_no_p_value(project: Path) -> None:
    make_variant(project, [loss - 0.5 for loss in LOSSES["lstm"]])
    (section,) = compare(project)
    found = {each.other: each for each in section.differences}["LSTM"]
    assert (found.p, found.spread.half) == (None, pytest.approx(0, abs=1e-9)) or found.p == pytest.approx(0, abs=1e-9)


def test_a_variant_is_reported_with_its_task(project: Path) -> None:
    make_variant(project, [1.0, 1.1, 1.2, 1.3])
    (section,) = compare(project, "letters", "words")
    assert [row.label for row in section.rows] == ["LSTM, spelled", "LSTM", "GRU", "Elman RNN (tanh)"]
    assert [row.task.name for row in section.rows] == ["letters", "words", "words", "words"]
    told = json.loads((project / "reports/comparison.json").read_text())["tasks"][0]
    assert [each["other"] for each in told["differences"]] == ["LSTM", "GRU", "Elman RNN (tanh)"]
    for page in ("md", "html"):
        assert "LSTM, spelled - GRU" in (project / f"reports/comparison.{page}").read_text()


def test_a_variant_alone_is_a_task_like_any_other(project: Path) -> None:
    make_variant(project, [1.0])
    (section,) = compare(project, "letters")
    assert [row.label for row in section.rows] == ["LSTM, spelled"]


def test_the_tables_of_results_hold_variants_too(project: Path) -> None:
    make_variant(project, [1.0, 1.1])
    (project / "README.md").write_text("<!-- results:words -->\n<!-- /results -->\n")
    results([], root=project)
    lines = (project / "README.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[3:5]] == ["| LSTM, spelled", "| LSTM"]


@pytest.mark.parametrize("signs", some([[1, 1, 1, 1], [1, -1, 1, -1]], 1))
def test_a_difference_that_chance_makes_often_has_a_large_p(project: Path, signs: list[int]) -> None:
    """Exchange the two rows of each pair in every way: a small p goes with a mean that few exchanges reach."""
    for seed, sign in enumerate(signs):
        make_run(project, "words", "gru", seed, {"test/loss": LOSSES["lstm"][seed] + sign * (0.1 + 0.01 * seed)})
    (section,) = compare(project)
    best = section.rows[0].label
    found = next(each for each in section.differences if {each.best, each.other} == {"LSTM", "GRU"} or best == "GRU")
    apart = np.array([sign * (0.1 + 0.01 * seed) for seed, sign in enumerate(signs)])
    reached = np.mean([abs((apart * flips).mean()) >= abs(apart.mean()) - 1e-12 for flips in product((1, -1), repeat=4)])
    assert found.p is not None
    assert (found.p < 0.05) == (reached <= 2 / 16)
