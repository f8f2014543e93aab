"""More epochs for a finished training: it goes on from there, and ends with the bits of one that had them from the start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from often import some

from pipelines.fetch import fetch
from pipelines.preprocess import preprocess
from pipelines.settings.compose import compose
from pipelines.train import train
from pipelines.training.longer import STATE
from rnn_lightning.files import read_json

ROOT = Path(__file__).resolve().parent.parent
SMALL = ["rnn=gru", "seed=1", "trainer.checkpoint_seconds=1000"]
TASKS = {
    "adding": ["task.corpus.rows={train:60,validation:10,test:10}", "task.corpus.steps=6", "task.data.batch_size=10"],
    "nested": ["task.corpus.rows={train:60,validation:10,test:10}", "task.data.batch_size=4", "task.data.steps=10"],
    "strokes": ["task.corpus.rows={train:40,validation:5,test:5}", "task.data.batch_size=10"],
}
SIZES = {"adding": 400, "nested": 3000, "strokes": 3000}
MORE = {
    "adding": [
        ["task.training.validate_every=4"],
        ["task.model.dropout=0.3", "task.data.augment=[{name:noise,deviation:0.1}]"],
    ],
    "nested": [["task.model.schedule={name:plateau,patience:0,factor:0.5}"], ["task.training.validate_every=5"]],
    "strokes": [["task.model.schedule={name:cosine,T_max:40}", "task.model.dropout=0.2"]],
}
CASES = [(task, more) for task, several in MORE.items() for more in several]


def command(task: str, epochs: int, more: list[str]) -> list[str]:
    usual = [f"task={task}", *SMALL, *TASKS[task], f"task.parameters={SIZES[task]}", "task.training.validate_every=null"]
    return [*usual, *more, f"task.training.epochs={epochs}"]


def trained(place: Path, task: str, epochs: int, more: list[str]) -> Path:
    """The folder of a training in ``place``, by absolute path."""
    experiment = compose(command(task, epochs, more))
    if not (place / "data").exists():
        fetch(experiment)
        preprocess(experiment)
    train(experiment)
    return place / experiment.trained(1)


def result(folder: Path) -> tuple[dict[str, torch.Tensor], list[list[str]], dict[str, object]]:
    """Weights, curves without times, and what ``training.json`` says of the steps."""
    weights = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
    curves = [line.split(",")[:2] + line.split(",")[3:] for line in (folder / "curves.csv").read_text().splitlines()]
    training = read_json(folder / "training.json")
    return weights, curves, {name: training[name] for name in ("steps", "planned_steps", "best_step", "best_value", "config")}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for name in ("whole", "longer"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(("task", "more"), some(CASES[::-1], 1))
def test_a_finished_training_goes_on_to_the_bits_of_a_longer_one(
    task: str, more: list[str], places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(places / "whole")
    weights, curves, training = result(trained(places / "whole", task, 5, more))
    monkeypatch.chdir(places / "longer")
    shortest = trained(places / "longer", task, 2, more)
    before = {file.name: file.read_bytes() for file in shortest.iterdir()}
    trained(places / "longer", task, 3, more)
    capsys.readouterr()
    again = result(trained(places / "longer", task, 5, more))
    assert "which has had 3 of 5 epochs" in capsys.readouterr().err
    assert again[1:] == (curves, training)
    assert all(torch.equal(value, weights[name]) for name, value in again[0].items())
    assert {file.name: file.read_bytes() for file in shortest.iterdir()} == before


def test_a_training_whose_last_step_follows_a_validation_goes_on_from_before_it(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["task.training.validate_every=5"]  # of 36 steps
    monkeypatch.chdir(places / "whole")
    weights, curves, training = result(trained(places / "whole", "adding", 7, more))
    monkeypatch.chdir(places / "longer")
    trained(places / "longer", "adding", 6, more)
    again = result(trained(places / "longer", "adding", 7, more))
    assert "which has had 6 of 7 epochs" in capsys.readouterr().err
    assert again[1:] == (curves, training) and all(torch.equal(value, weights[name]) for name, value in again[0].items())


@pytest.mark.slow
def test_two_processes_go_on_together(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/src", "OMP_NUM_THREADS": "1"}

    def run(stage: str, epochs: int) -> str:
        words = [sys.executable, "-m", f"pipelines.{stage}", *command("nested", epochs, two)]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stderr

    found = []
    for place, several in (("whole", (5,)), ("longer", (3, 5))):
        monkeypatch.chdir(places / place)
        for stage in ("fetch", "preprocess"):
            run(stage, 3)
        said = [run("train", epochs) for epochs in several]
        found.append(result(compose(command("nested", 5, two)).trained(1)))
    assert "which has had 3 of 5 epochs" in said[-1]
    (weights, *others), (again, *others_again) = found
    assert others_again == others and all(torch.equal(value, weights[name]) for name, value in again.items())


def test_a_training_whose_learning_rate_depends_on_its_epochs_begins_anew(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(places / "longer")
    more = ["task.model.schedule={name:cosine}"]
    trained(places / "longer", "adding", 2, more)
    trained(places / "longer", "adding", 3, more)
    assert "begins anew, and not from work/adding-gru-" in capsys.readouterr().err


@pytest.mark.parametrize("other", some(["task.model.dropout=0.1", "seed=2", "task.training.clip=0.5"], 1))
def test_what_differs_in_more_than_epochs_is_another_training(
    other: str, places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(places / "longer")
    trained(places / "longer", "adding", 2, [])
    train(compose([*command("adding", 3, []), other]))
    assert "goes on from" not in capsys.readouterr().err


def test_a_damaged_state_is_told_and_the_training_begins_anew(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(places / "longer")
    trained(places / "longer", "adding", 2, [])
    (state,) = Path("work").glob(f"*/{STATE}")
    state.write_bytes(state.read_bytes()[:-100])
    folder = trained(places / "longer", "adding", 3, [])
    assert f"{STATE} is damaged" in capsys.readouterr().err
    assert read_json(folder / "training.json")["steps"] == 18


def test_a_finished_training_is_not_kept_with_a_test_that_cannot_be_made(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places / "longer")
    folder = trained(places / "longer", "adding", 2, [])
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ValueError, match=r"task.metric.search is \{'beam_size': 3\}, but neither translations nor labels"):
        train(compose([*command("adding", 2, []), "name=mine", "+task.metric.search={beam_size:3}"]))
    with pytest.raises(ValueError, match=r"task.metric.search is \{'beam_size': 3\}, but neither translations nor labels"):
        trained(places / "longer", "adding", 2, ["+task.metric.search={beam_size:3}"])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
