"""`make repro` asks DVC for stages that are there, each task by one process, and never twice."""

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.display.progress import Progress
from pipelines.repro import STAGE, Made, comparison_of, longest_first, shares, targets
from pipelines.results import read_results
from pipelines.settings.compose import CONF
from pipelines.settings.grids import MAIN, read_grids

ROOT = Path(__file__).resolve().parent.parent
GRIDS = read_grids(CONF)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_target_is_a_stage_and_every_evaluation_is_a_target() -> None:
    """The stages that DVC makes of its ``foreach``, by its own list, are those that the reports ask for."""
    listed = [run("dvc", "stage", "list", file, "--name-only").stdout.split() for file in ("dvc.yaml", "hub/dvc.yaml")]
    stages = [stage for some in listed for stage in some]
    asked = [stage for runs in GRIDS.values() for wanted in targets(runs).values() for stage in wanted]
    assert len(asked) == len(set(asked))
    assert set(asked) == {stage for stage in stages if re.search("(fetch|preprocess|train|evaluate)@", stage)}
    assert {comparison_of(report) for report in GRIDS} == {stage for stage in stages if "compare" in stage}


def test_a_stage_comes_after_those_that_it_depends_on() -> None:
    """DVC is given the stages of a task one by one: it must not have to make what all tasks share."""
    stages: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    order = ["fetch", "preprocess", "train", "evaluate"]
    for before, after in itertools.pairwise(order):
        outs = [re.sub(r"\$\{item(.task)?\}", "TASK", out) for out in stages[before]["do"]["outs"]]
        deps = [re.sub(r"\$\{item(.task)?\}", "TASK", dep) for dep in stages[after]["do"]["deps"]]
        assert set(outs) & set(deps), f"{after} does not read what {before} writes"
    for wanted in targets(GRIDS[MAIN]).values():
        kinds = [stage.partition("@")[0] for stage in wanted]
        assert kinds == ["fetch", "preprocess", *["train", "evaluate"] * (len(kinds) // 2 - 1)]
        assert all(
            train.partition("@")[2] == test.partition("@")[2] for train, test in zip(wanted[2::2], wanted[3::2], strict=True)
        )


@pytest.mark.parametrize("processors", range(1, 65))
@pytest.mark.parametrize("tasks", [1, 2, 6])
def test_no_more_trainings_at_once_than_processors(tasks: int, processors: int) -> None:
    at_once, seeds = shares(tasks, processors)
    assert 1 <= at_once <= tasks and 1 <= seeds <= 3
    assert at_once * seeds <= processors
    assert at_once * seeds >= min(tasks * 3, processors) / 2  # nor are half of them idle while there is work


def test_the_longest_come_first_and_none_is_left_out() -> None:
    wanted = targets(GRIDS[MAIN])
    made = longest_first(wanted)
    assert made == wanted
    seconds = [sum(run.seconds for run in read_results(ROOT / "results" / f"{task}.json")) for task in made]
    assert seconds == sorted(seconds, reverse=True) and seconds[0] > seconds[-1] > 0


def test_a_report_that_is_not_there_is_refused() -> None:
    outcome = run("pipelines.repro", "speach")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: grid must be one of forecasting, ") and "not 'speach'" in outcome.stderr


def test_runs_are_counted_as_their_stages_end() -> None:
    count = Progress("generated", 60, "runs")
    made, stages = Made(GRIDS[MAIN], count), targets(GRIDS[MAIN])["adding"]
    made.over(stages[:4])
    assert (count.done, stages[3]) == (3, "evaluate@adding-elman")
    left = count.state().left or 0.0
    made.over(stages[4:6], skipped=True)
    assert count.done == 6, "what is skipped is there, but took no time"
    assert left > (count.state().left or 0.0) > 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Running stage 'train@adding-lstm':", ("Running stage", "train@adding-lstm")),
        ("Stage 'hub/dvc.yaml:fetch@ewt' didn't change, skipping", ("Stage", "hub/dvc.yaml:fetch@ewt")),
        ("Stage 'train@dates-gru' is cached - skipping run, checking out outputs", ("Stage", "train@dates-gru")),
    ],
)
def test_dvc_says_at_which_stage_it_is(line: str, found: tuple[str, str]) -> None:
    assert STAGE.match(line).groups() == found
