"""The dashboard under what happens to it: first use by many at once, stages that run again, processes that die."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from run_folders import make_run, make_task
from tracking_worker import work

from pipelines import tracking
from pipelines.publish import publish
from pipelines.runs.folders import read_points
from rnn_lightning.files import read_json

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
        yield


@pytest.fixture
def store(_store: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(tmp_path)
    return MlflowClient(tracking.open_store())


def start(folder: Path, **changes: object) -> str:
    told = {"experiment": "ptb", "name": "lstm seed 1", "config": {"rnn": {"size": 3}}, "tags": {"data": "d", "commit": "c"}}
    return tracking.start_run(folder, **(told | changes))  # pyright: ignore[reportArgumentType]


def shown(run: str) -> str:
    """The run's id in the dashboard, which has been told all by then."""
    tracking.flush()
    found = tracking.shown_as(run)
    assert found is not None
    return found


def history(store: MlflowClient, run_id: str, metric: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in store.get_metric_history(run_id, metric))


def test_a_new_tag_that_another_process_set_first_is_set_again(store: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    original, refused = MlflowClient.set_experiment_tag, []

    def set_tag(self: MlflowClient, experiment_id: str, key: str, value: str) -> None:
        if key not in refused:
            refused.append(key)
            original(self, experiment_id, key, "of another")
            raise MlflowException("UNIQUE constraint failed: experiment_tags.key, experiment_tags.experiment_id")
        original(self, experiment_id, key, value)

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", set_tag)
    tracking.open_experiment("tagged", {"title": "one", "mlflow.note.content": "two"})
    assert refused == ["mlflow.experimentKind", "title", "mlflow.note.content"]
    assert store.get_experiment_by_name("tagged").tags["title"] == "one"


STORES = {"nonsense://x": "MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db": "/proc/nowhere"}


@pytest.mark.parametrize("uri", STORES)
def test_a_store_that_does_not_answer_is_one_line(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(OSError, match=STORES[uri]) as refusal:
        tracking.open_experiment("one")
    assert "\n" not in str(refusal.value)


def test_work_that_is_done_does_not_fail_for_a_run_that_is_gone(
    store: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(tmp_path / "gone")
    with tracking.recording(run):
        store.delete_run(str(tracking.shown_as(run)))
    assert "warning: the dashboard refuses finish" in capsys.readouterr().err


@pytest.mark.parametrize("attempt", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_processes_that_begin_at_once_all_find_the_store_they_make(
    tmp_path: Path, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path}/new/mlflow.db"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow", "tracking_worker"])
    workers = [context.Process(target=work, args=(database, tmp_path / str(worker))) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * 4
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    for worker in range(4):  # on a busy machine a store that is made takes longer than one waits for it
        monkeypatch.chdir(tmp_path / str(worker))
        tracking.deliver_waiting()
    store = MlflowClient(database)
    for task in ("one", "two"):
        experiment = store.get_experiment_by_name(task)
        assert experiment is not None
        runs = store.search_runs([experiment.experiment_id])
        assert [run.info.status for run in runs] == ["FINISHED"] * 4
        assert all(len(history(store, run.info.run_id, "train/loss")) == 50 for run in runs)


def test_a_stage_that_runs_again_goes_on_in_its_run_and_repeats_no_point(store: MlflowClient, tmp_path: Path) -> None:
    run = start(tmp_path)
    tracking.log_curves(run, [("val/loss", step, 1.0) for step in (1, 2)])
    tracking.finish(run)
    first = shown(run)
    assert start(tmp_path) == run
    tracking.log_curves(run, [("val/loss", step, 1.0) for step in (1, 2, 3)])
    assert shown(run) == first
    assert history(store, first, "val/loss") == [(1, 1.0), (2, 1.0), (3, 1.0)]
    assert store.get_run(first).info.status == "RUNNING"
    assert store.get_run(first).data.params == {"rnn.size": "3"}


@pytest.mark.parametrize(
    "changes",
    [{"config": {"rnn": {"size": 4}}}, {"tags": {"data": "other", "commit": "c"}}, {"tags": {"data": "d", "commit": "new"}}],
)
def test_another_configuration_data_or_code_replaces_the_run(store: MlflowClient, tmp_path: Path, changes: dict) -> None:
    first = shown(start(tmp_path))
    second = shown(start(tmp_path, **changes))
    assert first != second
    old = store.get_run(first)
    assert (old.info.lifecycle_stage, old.data.tags["superseded_by"]) == ("deleted", second)


def test_a_value_measured_again_is_replaced_but_not_repeated(store: MlflowClient, tmp_path: Path) -> None:
    run = start(tmp_path)
    for value in (2.0, 2.0, 3.0):
        tracking.log_metrics(run, {"test/loss": value})
    run_id = shown(run)
    assert history(store, run_id, "test/loss") == [(0, 2.0), (0, 3.0)]
    assert store.get_run(run_id).data.metrics["test/loss"] == 3.0


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (None, "FINISHED")])
def test_a_run_ends_as_its_work_does(
    store: MlflowClient, tmp_path: Path, error: type[BaseException] | None, status: str
) -> None:
    run = start(tmp_path)
    try:
        with tracking.recording(run):
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert store.get_run(shown(run)).info.status == status


def test_the_logger_sends_everything_but_the_epoch(store: MlflowClient, tmp_path: Path) -> None:
    run = start(tmp_path)
    logger = tracking.lightning_logger(run)
    for step in range(200):
        logger.log_metrics({"train/loss": float(step), "epoch": 0}, step)
    run_id = shown(run)
    assert history(store, run_id, "train/loss") == [(step, float(step)) for step in range(200)]
    assert "epoch" not in store.get_run(run_id).data.metrics


def test_publishing_twice_shows_every_run_once(store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_task(tmp_path, "words")
    for seed in (1, 2):
        make_run(tmp_path, "words", "gru", seed, {"test/loss": 2.0 + seed})
    for stage in ("train", "publish"):
        monkeypatch.setenv("DVC_STAGE", stage)
        assert publish(tmp_path / "runs", conf=tmp_path / "conf", data=tmp_path / "data")[1] == 2
    experiment = store.get_experiment_by_name("words")
    assert experiment is not None
    runs = store.search_runs([experiment.experiment_id])
    assert sorted(str(run.info.run_name) for run in runs) == ["gru seed 1", "gru seed 2"]
    first = next(run for run in runs if run.info.run_name == "gru seed 1")
    assert first.info.end_time - first.info.start_time == 1000 * (90 + 1), "what the training took, whenever it was published"
    assert first.data.tags["mlflow.source.name"] == "train"
    points = read_points(tmp_path / "runs" / "words" / "gru" / "1")
    expected = sorted((step, value) for metric, step, value in points if metric == "val/loss")
    assert history(store, first.info.run_id, "val/loss") == expected
    assert first.inputs is not None
    assert first.inputs.dataset_inputs[0].dataset.digest == read_json(card(tmp_path))["sha256"]["all"][:16]
    assert first.data.tags["task"] == "words"


def card(project: Path) -> Path:
    return project / "data" / "processed" / "words" / "card.json"


def test_the_model_answers_in_text_and_is_stored_quickly(store: MlflowClient, tmp_path: Path) -> None:
    from mlflow import pyfunc

    served, checkpoint = tmp_path / "served.py", tmp_path / "model.ckpt"
    checkpoint.write_text("!")
    served.write_text(
        "import mlflow\n"
        "class Server(mlflow.pyfunc.PythonModel):\n"
        "    def load_context(self, context):\n"
        "        self.end = open(context.artifacts['checkpoint']).read()\n"
        "    def predict(self, context, model_input: list[str]) -> list[str]:\n"
        "        return [text + self.end for text in model_input]\n"
        "mlflow.models.set_model(Server())\n"
    )
    run = start(tmp_path)
    tracking.log_metrics(run, {"test/loss": 2.0})
    run_id, began = shown(run), time.monotonic()
    tracking.log_model(run, served=served, files={"checkpoint": checkpoint})
    tracking.flush()
    experiment = store.get_run(run_id).info.experiment_id
    (stored,) = store.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    assert time.monotonic() - began < 8  # seconds; MLflow's own way of finding requirements takes longer
    assert pyfunc.load_model(stored.model_uri).predict(["a", "bc"]) == ["a!", "bc!"]
    assert {each.key: each.value for each in stored.metrics or []} == {"test/loss": 2.0}
    tracking.log_model(run, served=served, files={"checkpoint": checkpoint})
    tracking.flush()
    assert (
        len(store.search_logged_models([experiment], f"source_run_id = '{run_id}'")) == 1
    )  # in the run's experiment, and alone
