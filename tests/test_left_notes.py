"""`make repro` tells the dashboard what its stages leave to it; a long stage speaks for itself."""

import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines import repro, tracking
from pipelines.tracking import courier
from pipelines.tracking.spool import waiting_files


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return MlflowClient(tracking.open_store())


def start(folder: Path) -> str:
    tags = {"data": "d", "commit": "c"}
    return tracking.start_run(folder, experiment="ptb", name="lstm seed 1", config={"rnn": {"size": 3}}, tags=tags)


def test_a_short_work_leaves_its_notes_and_a_long_one_delivers_them(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(courier.LEFT, "left")
    monkeypatch.setattr(courier, "_couriers", [])
    monkeypatch.setattr(courier, "_began", time.monotonic())
    run = start(tmp_path / "short")
    with tracking.recording(run):
        tracking.log_curves(run, [("val/loss", 1, 1.0)])
    assert tracking.shown_as(run) is None and not courier._couriers
    monkeypatch.setattr(courier, "_began", time.monotonic() - courier.LIVE_AFTER)
    tracking.log_curves(run, [("val/loss", 2, 1.0)])
    assert courier._couriers
    tracking.flush()
    points = store.get_metric_history(str(tracking.shown_as(run)), "val/loss")
    assert sorted((point.step, point.value) for point in points) == [(1, 1.0), (2, 1.0)]
    courier._couriers[0].end()  # the courier of the process delivers what comes after this test
    courier._couriers[0]._thread.join()


def test_what_stages_leave_is_delivered_while_others_run(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repro, "BETWEEN", 0.01)
    with tracking.held_back():
        run = start(tmp_path / "left")
        tracking.finish(run)
    courier.SPOOLS.pop(run).close()  # as by the end of its process
    with repro.delivering():
        until = time.monotonic() + 60
        while waiting_files() and time.monotonic() < until:
            time.sleep(0.05)
    assert store.get_run(str(tracking.shown_as(run))).info.status == "FINISHED"
