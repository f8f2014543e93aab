"""Architectures over several tasks: scores, their interquartile mean and interval, ranks; and where none of it is said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from run_folders import make_run, make_task

from pipelines import compare as stage
from pipelines.comparing.across import CrossTaskScore, cross_task_scores, interquartile_mean
from pipelines.comparing.summary import Row, rows
from pipelines.runs.folders import read_runs
from pipelines.settings.base import validate
from pipelines.settings.schema import Metric
from pipelines.settings.tasks import Task, read_task

LOSSES = {"lstm": [2.0, 2.1, 2.3], "gru": [2.2, 2.25, 2.6], "elman": [3.0, 3.3, 3.1]}
OTHERS = {"lstm": [0.6, 0.5, 0.7], "gru": [0.1, 0.2, 0.4], "elman": [0.9, 0.3, 0.8]}
Table = Mapping[str, Sequence[float]]


def compared(place: Path, name: str, losses: Table, *, mode: str = "min") -> tuple[Task, list[Row]]:
    make_task(place, name)
    for rnn, values in losses.items():
        for seed, value in enumerate(values):
            make_run(place, name, rnn, seed, {"test/loss": value})
    task = read_task(place / "conf", name)
    task = Task(task.name, task.title, task.description, validate(Metric, {"name": task.metric.name, "mode": mode}))
    return task, rows(read_runs(place / "runs", name)[0], task)


def changed(losses: Table, scale: float, shift: float = 0.0) -> Table:
    return {rnn: [scale * value + shift for value in values] for rnn, values in losses.items()}


def by_rnn(found: Sequence[CrossTaskScore]) -> dict[str, CrossTaskScore]:
    return {each.rnn: each for each in found}


def test_scores_go_from_the_worst_mean_to_the_best(tmp_path: Path) -> None:
    """Against a second form: both tasks' values on a line from 0 to 1, the middle half of all of them averaged."""
    found = by_rnn(cross_task_scores([compared(tmp_path, "one", LOSSES), compared(tmp_path, "two", OTHERS)]))
    for rnn, each in found.items():
        scores = []
        for losses in (LOSSES, OTHERS):
            means = [fmean(values) for values in losses.values()]
            scores += [(max(means) - value) / (max(means) - min(means)) for value in losses[rnn]]
        middle = sorted(scores)[1:5]  # of six, a quarter is cut off at each end: one and a half, of which the whole ones go
        assert each.score == pytest.approx(fmean(middle))
        assert each.low <= each.score <= each.high
    assert found["lstm"].ranks == {"one": 1, "two": 2} and found["lstm"].rank == 1.5
    assert found["gru"].ranks == {"one": 2, "two": 1} and found["elman"].ranks == {"one": 3, "two": 3}
    assert max(found.values(), key=lambda each: each.score).rnn == standings_order(tmp_path)[0]


def standings_order(place: Path) -> list[str]:
    group = cross_task_scores([compared(place, "one", LOSSES), compared(place, "two", OTHERS)])
    assert [each.score for each in group] == sorted((each.score for each in group), reverse=True)
    return [each.rnn for each in group]


@pytest.mark.parametrize(("scale", "shift", "mode"), [(10.0, 3.0, "min"), (-1.0, 4.0, "max")])
def test_units_and_direction_of_a_metric_do_not_matter(tmp_path: Path, scale: float, shift: float, mode: str) -> None:
    two = compared(tmp_path, "two", OTHERS)
    plain = by_rnn(cross_task_scores([compared(tmp_path / "plain", "one", LOSSES), two]))
    other = by_rnn(cross_task_scores([compared(tmp_path / "other", "one", changed(LOSSES, scale, shift), mode=mode), two]))
    for rnn, each in plain.items():
        assert (each.score, each.low, each.high) == pytest.approx((other[rnn].score, other[rnn].low, other[rnn].high))
        assert each.ranks == other[rnn].ranks


def test_the_interval_is_that_of_a_bootstrap_within_tasks(tmp_path: Path) -> None:
    """Against a plain form of the stratified bootstrap, as exact as its draws allow."""
    found = by_rnn(cross_task_scores([compared(tmp_path, "one", LOSSES), compared(tmp_path, "two", OTHERS)]))["gru"]
    generator = np.random.default_rng(7)
    scores = []
    for losses in (LOSSES, OTHERS):
        means = [fmean(values) for values in losses.values()]
        scores.append((max(means) - np.array(losses["gru"])) / (max(means) - min(means)))
    drawn = [interquartile_mean(*(generator.choice(own, len(own)) for own in scores)) for _ in range(6_000)]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_a_task_of_one_seed_keeps_it(tmp_path: Path) -> None:
    single = {rnn: values[:1] for rnn, values in OTHERS.items()}
    found = by_rnn(cross_task_scores([compared(tmp_path, "one", LOSSES), compared(tmp_path, "two", single)]))
    assert all(each.low <= each.score <= each.high for each in found.values())
    both = by_rnn(cross_task_scores([compared(tmp_path, "three", single), compared(tmp_path, "two", single)]))
    assert all(np.isnan(each.low) for each in both.values())


def test_only_tasks_of_the_same_architectures_stand_together(tmp_path: Path) -> None:
    one, two = compared(tmp_path, "one", LOSSES), compared(tmp_path, "two", OTHERS)
    pair = {rnn: OTHERS[rnn] for rnn in ("lstm", "gru")}
    three, four = compared(tmp_path, "three", pair), compared(tmp_path, "four", changed(pair, 2.0))
    more = [compared(tmp_path, f"more{at}", OTHERS | {"layernorm_lstm": [0.9 + at, 0.8]}) for at in range(3)]
    alone = compared(tmp_path, "five", {"lstm": [1.0]})
    equal = compared(tmp_path, "six", {"lstm": [1.0], "gru": [1.0]})
    assert cross_task_scores([one]) == cross_task_scores([one, three, alone, equal]) == cross_task_scores([]) == []
    assert cross_task_scores([three, four]) == [], "two architectures stand at 0 and 1, whatever they are"
    assert {*cross_task_scores([one, three, alone, two, four, equal])[0].ranks} == {"one", "two"}
    largest = cross_task_scores([one, *more, three, two, four])
    assert {*largest[0].ranks} == {"more0", "more1", "more2"} and len(largest) == 4


def test_the_report_says_how_architectures_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "publish_comparison", lambda *_: None)
    for name, losses in (("one", LOSSES), ("two", OTHERS)):
        compared(tmp_path, name, losses)
    stage.compare(tmp_path / "runs", tmp_path / "reports", conf=tmp_path / "conf", data=tmp_path / "data")
    for page in ("md", "html"):
        assert "Over the tasks one, two" in (tmp_path / f"reports/comparison.{page}").read_text()
    assert (tmp_path / "reports/together.png").stat().st_size > 5_000
