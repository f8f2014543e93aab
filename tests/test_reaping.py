"""Runs whose process is gone do not stay RUNNING in the dashboard, and no others are touched, whatever happens meanwhile."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines import tracking
from pipelines.runs.processes import start_time
from pipelines.tracking.names import tag
from pipelines.tracking.runs import finish, set_tags

ROOT = Path(__file__).resolve().parents[1]
DOOMED = """
import os, signal, sys
from pathlib import Path
from pipelines import tracking
from pipelines.runs.processes import start_time
tracking.start_run(Path(sys.argv[1]), experiment="one", name="doomed", config={}, tags={})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
        yield MlflowClient(tracking.open_store())


def start(folder: Path) -> str:
    """Begin a run; returns its id in the dashboard."""
    run = tracking.start_run(folder, experiment="two", name="living", config={}, tags={})
    tracking.flush()
    return str(tracking.shown_as(run))


def test_the_run_of_a_killed_process_does_not_stay_running(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", DOOMED, str(tmp_path)]
    assert subprocess.run(command, env=environment, cwd=tmp_path, check=False).returncode == -9
    monkeypatch.chdir(tmp_path)
    living = start(tmp_path / "living")
    experiment = store.get_experiment_by_name("one")
    assert experiment is not None
    assert [run.info.status for run in store.search_runs([experiment.experiment_id])] == ["KILLED"]
    assert store.get_run(living).info.status == "RUNNING"


def test_a_run_that_ends_with_its_process_while_the_dead_are_counted_stays_finished(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_id = start(tmp_path)

    def end(tags: Mapping[str, str]) -> bool:
        finish(run_id, 1000)
        return tags["folder"] != str(tmp_path)

    monkeypatch.setattr("pipelines.tracking.runs._alive", end)
    assert tracking.mark_dead_runs_killed() == 0
    assert store.get_run(run_id).info.status == "FINISHED"


def test_a_run_that_is_taken_up_while_the_dead_are_counted_stays_running(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_id, alive = start(tmp_path), tracking.runs._alive
    set_tags(run_id, {"pid_born": "0.0"})

    def take_up(tags: Mapping[str, str]) -> bool:
        if tags["folder"] == str(tmp_path) and tag(tags, "pid_born") == "0.0":
            set_tags(run_id, {"pid_born": str(start_time(os.getpid()))})
            return False
        return alive(tags)

    monkeypatch.setattr("pipelines.tracking.runs._alive", take_up)
    assert tracking.mark_dead_runs_killed() == 0
    assert store.get_run(run_id).info.status == "RUNNING"
