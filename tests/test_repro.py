"""`make repro` asks DVC for stages that are there, each task by one process, and never twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.repro import longest_first, reports, shares, targets
from pipelines.results import read_results

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_target_is_a_stage_and_every_evaluation_is_a_target() -> None:
    """The stages that DVC makes of its matrices, by its own list, are those that the reports ask for."""
    stages = set(run("dvc", "stage", "list", "--name-only").stdout.split())
    asked = [stage for _, grids in reports().values() for wanted in targets(grids).values() for stage in wanted]
    assert len(asked) == len(set(asked))
    assert set(asked) == {stage for stage in stages if stage.startswith("evaluate")}
    assert {stage for stage, _ in reports().values()} == {stage for stage in stages if stage.startswith("compare")}


@pytest.mark.parametrize("processors", range(1, 65))
@pytest.mark.parametrize("tasks", [1, 2, 6])
def test_no_more_trainings_at_once_than_processors(tasks: int, processors: int) -> None:
    at_once, seeds = shares(tasks, processors)
    assert 1 <= at_once <= tasks and 1 <= seeds <= 3
    assert at_once * seeds <= processors
    assert at_once * seeds >= min(tasks * 3, processors) / 2  # nor are half of them idle while there is work


def test_the_longest_come_first_and_none_is_left_out() -> None:
    wanted = targets(["generated", "ahead"])
    made = longest_first(wanted)
    assert made == wanted
    seconds = [sum(run.seconds for run in read_results(ROOT / "results" / f"{task}.json")) for task in made]
    assert seconds == sorted(seconds, reverse=True) and seconds[0] > seconds[-1] > 0


def test_a_report_that_is_not_there_is_refused() -> None:
    told = run("pipelines.repro", "speach")
    assert told.returncode == 2
    assert told.stderr.startswith("error: the report must be one of ['generated', ") and "not 'speach'" in told.stderr
