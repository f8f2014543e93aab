"""A dashboard that is away, silent, slow, locked, full or dying costs a training no second to speak of and no number."""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import NamedTuple, TypeVar

import pytest
import torch
import tracker_faults
from mlflow import MlflowClient
from often import some
from tracker_faults import ADDING, ERROR, Relay

from pipelines.fetch import fetch
from pipelines.preprocess import preprocess
from pipelines.settings.compose import compose
from pipelines.tracking.names import PREFIX
from pipelines.tracking.recording import digest
from pipelines.training.launching import fork_server

Made = TypeVar("Made")
MOST_ADDED = 5.0
"""Seconds that a dashboard may add to a training, whatever is the matter with it."""


class Healthy(NamedTuple):
    """A training that the dashboard followed: its data, seconds, weights and points."""

    place: Path
    seconds: float
    weights: dict[str, torch.Tensor]
    points: Counter[tuple[str, int, float]]


def timed(target: Callable[..., None], *told: object) -> float:
    """Run ``target`` in a process of its own, which must end well; returns its seconds."""
    process = fork_server("tracker_faults").Process(target=target, args=told)
    began = time.monotonic()
    process.start()
    process.join(180)
    assert process.exitcode == 0
    return time.monotonic() - began


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Healthy:
    place = tmp_path_factory.mktemp("healthy")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        experiment = compose(ADDING)
        fetch(experiment)
        preprocess(experiment)
    uri = f"sqlite:///{place}/mlflow.db"
    timed(tracker_faults.flush, place, uri)  # what is imported once
    seconds = timed(tracker_faults.train, place, uri)
    return Healthy(place, seconds, weights(place), points(uri))


@pytest.fixture
def place(healthy: Healthy, tmp_path: Path) -> Path:
    copytree(healthy.place / "data", tmp_path / "data")
    return tmp_path


def weights(place: Path) -> dict[str, torch.Tensor]:
    return torch.load(place / "trained/adding/elman-small/1/model.ckpt", weights_only=True)["state_dict"]


def points(uri: str, folder: Path | None = None) -> Counter[tuple[str, int, float]]:
    """All points of the one run, which is finished, but of the machine; of the run of ``folder`` where others are there."""
    store = MlflowClient(uri)
    (experiment,) = [each for each in store.search_experiments() if each.name == "adding"]
    place = digest([socket.gethostname(), str(folder.resolve() / "runs/adding/elman-small/1")]) if folder else "%"
    (run,) = store.search_runs([experiment.experiment_id], f"tags.`{PREFIX}place` like '{place}'")
    assert run.info.status == "FINISHED"
    curves = [key for key in run.data.metrics if not key.startswith("system/")]
    histories = [store.get_metric_history(run.info.run_id, key) for key in curves]
    return Counter((each.key, each.step, each.value) for history in histories for each in history)


def check(healthy: Healthy, place: Path, seconds: float, uri: str) -> None:
    """The training was as good as undisturbed, and the next command shows all of it, once."""
    check_time(healthy, place, seconds)
    assert all(torch.equal(value, healthy.weights[name]) for name, value in weights(place).items())
    assert list(place.glob("work/tracking/*.jsonl")), "what is not told waits"
    timed(tracker_faults.deliver, place, uri)
    assert points(uri) == healthy.points
    assert not list(place.glob("work/tracking/*"))


def check_time(healthy: Healthy, place: Path, seconds: float) -> None:
    """The training stood still for the dashboard no longer than it may; what all of it took depends on the machine's load."""
    waited = float((place / "waited").read_text())
    print(f"waited {waited:.1f} s for the dashboard, took {seconds - healthy.seconds:+.1f} s more in all")
    assert waited <= MOST_ADDED


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


SILENT = {
    "away": lambda: f"http://127.0.0.1:{free_port()}",
    "answers 500": lambda: Relay(answer=ERROR).uri,
    "says nothing": lambda: Relay().uri,
    "answers after 30 s": lambda: Relay(answer=ERROR, after=30).uri,
    "no such store": lambda: "nonsense://x",
    "no place for it": lambda: "sqlite:////proc/nowhere/mlflow.db",
}
QUICK = ("says nothing",)


@pytest.mark.parametrize("fault", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SILENT])
def test_a_dashboard_that_does_not_answer(fault: str, healthy: Healthy, place: Path) -> None:
    seconds = timed(tracker_faults.train, place, SILENT[fault]())
    check(healthy, place, seconds, f"sqlite:///{place}/mlflow.db")


@pytest.mark.slow
def test_a_store_that_is_locked(healthy: Healthy, place: Path) -> None:
    uri = f"sqlite:///{place}/mlflow.db"
    timed(tracker_faults.deliver, place, uri)
    with closing(sqlite3.connect(place / "mlflow.db")) as store:
        store.execute("begin exclusive")
        seconds = timed(tracker_faults.train, place, uri)
    check(healthy, place, seconds, uri)


@pytest.mark.slow
def test_a_disk_that_is_full_when_the_store_is_made(healthy: Healthy, place: Path) -> None:
    uri = f"sqlite:///{place}/mlflow.db"
    seconds = timed(tracker_faults.train_on_full_disk, place, uri)
    check(healthy, place, seconds, uri)


def test_a_store_that_is_locked_in_the_middle(healthy: Healthy, place: Path) -> None:
    uri = f"sqlite:///{place}/mlflow.db"
    timed(tracker_faults.deliver, place, uri)

    def lock() -> sqlite3.Connection:
        store = sqlite3.connect(place / "mlflow.db", timeout=20)
        store.execute("begin exclusive")
        return store

    seconds, store = interrupted(place, uri, 11, lock)
    store.close()
    check(healthy, place, seconds, uri)


def interrupted(place: Path, uri: str, at: int, fault: Callable[[], Made]) -> tuple[float, Made]:
    """Train, and bring the fault about at step ``at``, while the training stands; returns its seconds without that pause."""
    process = fork_server("tracker_faults").Process(target=tracker_faults.train, args=(place, uri, 0.02, at))
    began = time.monotonic()
    process.start()
    while not (place / "stopped").exists():
        assert process.is_alive()
        time.sleep(0.005)
    stood = time.monotonic()
    made = fault()
    began += time.monotonic() - stood
    (place / "on").touch()
    process.join(180)
    assert process.exitcode == 0
    return time.monotonic() - began, made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """MLflow's server behind a relay."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None
            time.sleep(0.2)
        yield Relay(port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("death", range(20))
def test_a_server_that_dies_at_any_step(death: int, healthy: Healthy, place: Path, server: Relay) -> None:
    """Cut off at a random step, alive again when the next command comes, and each time for a run of its own."""
    step = random.Random(death).randrange(24)
    seconds, _ = interrupted(place, server.uri, step, server.die)
    check_time(healthy, place, seconds)
    assert all(torch.equal(value, healthy.weights[name]) for name, value in weights(place).items())
    server.live()
    timed(tracker_faults.flush if death % 2 else tracker_faults.deliver, place, server.uri)
    assert points(server.uri, place) == healthy.points
    assert not list(place.glob("work/tracking/*"))


@pytest.mark.parametrize("uri", some(["sqlite:///mlflow.db", "http://127.0.0.1:9"], 1))
def test_a_training_that_is_killed_and_goes_on_shows_every_point_once(uri: str, healthy: Healthy, place: Path) -> None:
    uri = uri.replace("///", f"///{place}/")
    process = fork_server("tracker_faults").Process(target=tracker_faults.train, args=(place, uri, 0.0, 14))
    process.start()
    while not (place / "stopped").exists():
        time.sleep(0.005)
    process.kill()
    process.join()
    (place / "on").touch()
    timed(tracker_faults.train, place, uri)
    timed(tracker_faults.deliver, place, f"sqlite:///{place}/mlflow.db")
    assert points(f"sqlite:///{place}/mlflow.db") == healthy.points
    assert all(torch.equal(value, healthy.weights[name]) for name, value in weights(place).items())
