"""What people find in the dashboard: the best run first, files of results, an example of what a model takes, the best model."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from run_folders import make_run, make_task

from pipelines import tracking
from pipelines.runs.folders import read_run, read_runs
from pipelines.settings.tasks import read_task
from pipelines.tracking import best, record
from pipelines.tracking.best import register_best
from pipelines.tracking.examples import example_of
from pipelines.tracking.finished import publish_run
from pipelines.tracking.recording import digest
from pipelines.tracking.tasks import VIEW
from rnn_lightning.files import write_sums

CONFIG = {"task": {"name": "words", "training": {"epochs": 2}, "parameters": 100}, "rnn": {"cell": "lstm"}, "trainer": {}}


@pytest.fixture(scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
        yield


@pytest.fixture
def store(_store: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(tmp_path)
    return tracking.store.client()


def test_a_task_links_to_its_runs_the_best_first(store: MlflowClient, tmp_path: Path) -> None:
    make_task(tmp_path, "words")
    number = tracking.open_experiment("words", tracking.task_tags(read_task(tmp_path / "conf", "words")))
    tags = store.get_experiment(number).tags
    assert (
        f"(#/experiments/{number}/runs?workflowType=machine_learning&viewStateShareKey={VIEW})" in tags["mlflow.note.content"]
    )
    view = json.loads(tags[f"mlflow.sharedViewState.{VIEW}"])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`test/loss`", True)
    assert {"metrics.`test/loss`", "tags.`seed`"} <= {*view["selectedColumns"]}
    assert tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_finished_run_has_its_files_and_no_tag_that_nobody_reads(store: MlflowClient, tmp_path: Path) -> None:
    make_task(tmp_path, "words")
    folder = make_run(tmp_path, "words", "lstm", 1, {"test/loss": 2.0}, config=CONFIG)
    (folder / "found.txt").write_text("a\n")
    with (folder / "curves.csv").open("a") as lines:
        lines.write("400,0,1,train/running_loss,0.125\n")
    run = publish_run(folder, read_run(folder, with_sums=False), read_task(tmp_path / "conf", "words"), {})
    tracking.flush()
    run_id = str(tracking.shown_as(run))
    files = {each.path for each in store.list_artifacts(run_id)}
    assert files == {"config.yaml", "curves.csv", "metrics.json", "training.json", "predictions"}
    seen = {name for name in store.get_run(run_id).data.tags if not name.startswith("mlflow.")}
    assert seen == {"task", "rnn", "seed", "label", "hardware", "threads", "precision", "backend", "data", "folder"}
    assert "train/running_loss" not in store.get_run(run_id).data.metrics, "it is the dashboard's train/loss"


def test_a_run_of_an_earlier_version_is_found_by_the_tags_that_it_showed(store: MlflowClient, tmp_path: Path) -> None:
    facts: dict[str, Any] = {"experiment": "old", "name": "lstm seed 1", "config": {"size": 3}, "tags": {"data": "d"}}
    place = digest([socket.gethostname(), str(tmp_path.resolve())])
    old = {"place": place, "fingerprint": digest([{"size": "3"}, "d", None]), "pid": "0", "pid_born": "0"}
    run_id = store.create_run(tracking.open_experiment("old"), tags=old | {"host": socket.gethostname()}).info.run_id
    run = tracking.start_run(tmp_path, **facts)
    tracking.flush()
    assert tracking.shown_as(run) == run_id and store.get_run(run_id).info.status == "RUNNING"
    tracking.finish(run)
    tracking.flush()


def described(folder: Path, inputs: dict[str, str]) -> Path:
    folder.mkdir()
    (folder / "predictor.json").write_text(json.dumps({"predictor": "regression", "files": [], "inputs": inputs}))
    write_sums(folder)
    return folder


def test_the_first_item_of_the_test_is_the_example(tmp_path: Path) -> None:
    folder = described(tmp_path / "run", {"name": "arrays"})
    values = np.array([[0.125, 1], [0.5, 0], [7, 7]], np.float32)
    np.savez(tmp_path / "test.npz", inputs=values, input_offsets=np.array([0, 2, 3]), targets=np.zeros(2))
    assert example_of(folder, tmp_path) == "[[0.125, 1.0], [0.5, 0.0]]"
    assert example_of(described(tmp_path / "pen", {"name": "strokes"}), tmp_path) is None
    np.savez(tmp_path / "test.npz", tokens=np.array([3, 1, 2]), documents=np.array([0, 2, 3]), scored=np.ones(3, bool))
    assert example_of(described(tmp_path / "tokens", {"name": "tokens"}), tmp_path) == "3 1"
    (tmp_path / "test.txt").write_text("the\tDET\ncat\tNOUN\n\na\tDET\n")
    assert example_of(folder, tmp_path) == "the cat"
    (tmp_path / "test.source.txt").write_text("der Hund\ndie Katze\n")
    assert example_of(folder, tmp_path) == "der Hund"


def test_the_best_run_by_validation_is_registered_and_a_worse_one_of_the_same_data_is_not(
    store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_task(tmp_path, "words")
    store.create_registered_model("words")

    def publish(run: str, folder: Path, place: record.Registration, *, processed: Path) -> None:
        record.log_model(str(tracking.shown_as(run)), served=folder, files={}, registration=place._asdict())

    def publish_at_once(*given: Any) -> str:
        run = publish_run(*given)
        tracking.flush()
        return run

    monkeypatch.setattr(record, "_store_model", lambda run_id, _, name: store.create_model_version(name, ".", run_id))
    monkeypatch.setattr(best, "publish_run", publish_at_once)
    monkeypatch.setattr(best, "publish_model", publish)

    def registered(**losses: float) -> str:
        for rnn, value in losses.items():
            make_run(tmp_path, "words", rnn, 1, {"test/loss": 9 - value}, config=CONFIG, best_value=value)
        finished, task = read_runs(tmp_path / "runs", "words")[0], read_task(tmp_path / "conf", "words")
        register_best(tmp_path / "runs", finished, task, {}, tmp_path)
        return store.get_run(str(store.get_model_version_by_alias("words", "best").run_id)).data.tags["rnn"]

    assert registered(lstm=2.0, gru=1.0) == "gru"
    assert registered(lstm=0.5) == "lstm"
    assert registered(lstm=3.0, gru=2.5) == "lstm" and "words@best of the model registry stays" in capsys.readouterr().err
