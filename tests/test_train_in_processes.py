"""``trainer=ddp``: what the command line makes of several processes, and what it refuses."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch

from pipelines import train
from pipelines.settings.compose import CONF, compose
from pipelines.sweep import check_one_seed
from pipelines.training import launching

NESTED = [
    "task=nested",
    "rnn=lstm",
    "task.corpus.rows={train:150,validation:20,test:20}",
    "task.training.epochs=1",
    "task.training.validate_every=3",
    "task.data.batch_size=5",
    "task.parameters=5000",
    "seed=1",
]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


def test_a_trainer_takes_the_accelerator_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "gpu"), (False, "cpu")):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        trainer = compose(["task=nested", "trainer=ddp", "trainer.devices=3"]).trainer
        assert (trainer.accelerator, trainer.devices, trainer.strategy) == (expected, 3, "ddp")


def test_half_precision_is_for_gpus() -> None:
    with pytest.raises(ValueError, match="16-mixed needs a GPU; on the CPU take bf16-mixed"):
        compose(["task=nested", "trainer=cpu", "trainer.precision=16-mixed"])


def test_several_devices_need_a_strategy() -> None:
    with pytest.raises(ValueError, match="2 devices need strategy=ddp: take trainer=ddp"):
        compose(["task=nested", "trainer=cpu", "trainer.devices=2"])


@pytest.mark.parametrize("name", sorted(file.stem for file in (CONF / "trainer").glob("*.yaml")))
def test_a_trial_trains_in_one_process(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = "a trial trains in one process" if name == "ddp" else "data/processed/nested has no corpus"
    with pytest.raises(ValueError, match=said):
        check_one_seed(compose(["task=nested", f"trainer={name}", "seed=1"]))


def run(place: Path, stage: str, *arguments: str) -> str:
    """What a stage says on standard error."""
    told = {"MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db", "PYTHONPATH": os.pathsep.join([str(CONF.parent), *sys.path])}
    command = [sys.executable, "-m", f"pipelines.{stage}", *NESTED, *arguments]
    done = subprocess.run(command, cwd=place, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_seeds_that_are_trained_side_by_side_save_and_stop_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    for stage in ("fetch", "preprocess"):
        run(tmp_path, stage)
    paths = os.pathsep.join([str(CONF.parent), *sys.path])
    told = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "PYTHONPATH": paths}
    more = ["seed=null", "seeds=3", "workers=2", "task.training.epochs=2000", "trainer.checkpoint_seconds=1000000"]
    settings = [setting for setting in NESTED if not setting.startswith(("task.training.epochs=", "seed="))]
    command = [sys.executable, "-m", "pipelines.train", *settings, *more]
    ended = time.monotonic() + 120
    with subprocess.Popen(command, cwd=tmp_path, env=told, stderr=subprocess.DEVNULL) as began:
        while len(list(tmp_path.glob("work/nested-lstm-*/best.ckpt"))) < 2 and time.monotonic() < ended:
            time.sleep(0.2)
        family = psutil.Process(began.pid).children(recursive=True)
        assert not list(tmp_path.glob("work/nested-lstm-*/last.ckpt"))
        began.send_signal(number)
        assert began.wait(60) == 128 + number
    assert len(list(tmp_path.glob("work/nested-lstm-*/last.ckpt"))) == 2, "who begins the command again finds all saved"
    left = psutil.wait_procs(family, timeout=30)[1]
    for process in left:
        process.kill()
    assert family and not left


def test_a_signal_before_the_command_of_a_seed_can_save_stops_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(launching, "Popen", lambda command, env: subprocess.Popen(sleeper))
    experiment = compose(["task=nested", *TWO, "seeds=2"])
    threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(SystemExit) as ended:
        train.train(experiment)
    assert ended.value.code == 128 + signal.SIGTERM


def test_a_long_reason_is_told_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("too long a tale " * 10_000)

    monkeypatch.setattr(launching, "train_seed", fail)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    launching.train_in_child(compose(["task=nested"]), 1, sender)
    assert receiver.recv() == ("too long a tale " * 10_000)[: launching.LONGEST]


@pytest.mark.slow
def test_the_command_trains_in_two_processes_as_in_one(tmp_path: Path) -> None:
    import mlflow

    for stage in ("fetch", "preprocess"):
        run(tmp_path, stage)
    found, seen = {}, list[Path]()
    for processes, trainer in ((1, ["trainer=cpu"]), (2, TWO)):
        said = run(tmp_path, "train", *trainer)
        assert said.count("11 of 11 steps") == 1, "only the first process speaks"
        (folder,) = {*(tmp_path / "trained/nested").glob("lstm*/1")} - {*seen}
        seen.append(folder)
        weights = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
        curves = [line.split(",") for line in (folder / "curves.csv").read_text().splitlines()[1:]]
        training = json.loads((folder / "training.json").read_text())
        found[processes] = weights, {(step, metric): float(value) for step, _, _, metric, value in curves}, training
    torch.testing.assert_close(found[2][0], found[1][0], atol=1e-5, rtol=0)
    assert found[2][1] == pytest.approx(found[1][1], abs=1e-5, rel=1e-5)
    assert found[2][2]["steps"] == found[1][2]["steps"]
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("nested")
    assert experiment is not None
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FINISHED"] * 2
