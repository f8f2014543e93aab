"""The stages one after the other on a small task: what each leaves, and what an interruption or a repetition changes."""

import csv
import json
from pathlib import Path

import pytest
import torch

from pipelines import tracking
from pipelines.compare import compare
from pipelines.evaluate import evaluate
from pipelines.fetch import fetch
from pipelines.preprocess import preprocess
from pipelines.runs.processes import lock_folder
from pipelines.settings.compose import CONF, compose
from pipelines.settings.schema import Experiment, Training
from pipelines.train import train
from pipelines.training.preparing import interval
from pipelines.training.run import train_one
from rnn_lightning import LanguageModel, SequenceClassifier

ADDING = [
    "task=adding",
    "task.corpus.rows={train:300,validation:40,test:50}",
    "task.corpus.steps=6",
    "task.training.epochs=2",
    "task.training.validate_every=5",
    "task.parameters=300",
    "trainer.checkpoint_seconds=0",
]
NESTED = [
    "task=nested",
    "task.corpus.rows={train:150,validation:20,test:20}",
    "task.training.epochs=1",
    "task.training.validate_every=3",
    "task.data.batch_size=4",
    "task.parameters=5000",
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path


def prepared(arguments: list[str], *more: str) -> Experiment:
    experiment = compose([*arguments, *more])
    fetch(experiment)
    preprocess(experiment)
    return experiment


def test_from_nothing_to_a_report(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made: dict[str, Path] = {}
    for rnn, arguments in (("lstm", ADDING), ("gru", ADDING), ("elman", NESTED)):
        experiment = prepared(arguments, f"rnn={rnn}", "seed=1")
        train(experiment)
        assert not experiment.run(1).exists(), "a run is in runs/ only once it is evaluated"
        evaluate(experiment)
        made[rnn] = experiment.run(1)
    sections = compare(Path("runs"), Path("reports"), conf=CONF, data=Path("data"))
    assert [section.task.name for section in sections] == ["adding", "nested"]
    names = ["SHA256SUMS", "curves.csv", "metrics.json", "model.ckpt", "predictor.json", "training.json"]
    assert sorted(file.name for file in made["gru"].iterdir()) == names
    training = json.loads((made["gru"] / "training.json").read_text())
    assert training["steps"] == training["planned_steps"] == 12
    with (made["gru"] / "curves.csv").open() as lines:
        steps = [int(row["step"]) for row in csv.DictReader(lines) if row["metric"] == "val/loss"]
    assert steps == [5, 10]
    SequenceClassifier.load_from_checkpoint(made["gru"] / "model.ckpt", weights_only=True)
    LanguageModel.load_from_checkpoint(made["elman"] / "model.ckpt", weights_only=True)
    assert "The adding problem" in capsys.readouterr().out and (place / "reports/comparison.html").exists()
    run = tracking.store.client().get_run(training["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/loss"] == json.loads((made["gru"] / "metrics.json").read_text())["test/loss"]


def test_a_training_that_is_done_is_not_made_again_and_another_one_is(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=elman", "seed=1")
    train(experiment)
    file = experiment.trained(1) / "training.json"
    before = file.read_text()
    train(experiment)
    assert file.read_text() == before
    other = compose([*ADDING, "rnn=elman", "seed=1", "task.training.clip=0.5"])
    train(other)
    other_file = other.trained(1) / "training.json"
    assert json.loads(other_file.read_text())["config"]["task"]["training"]["clip"] == 0.5
    assert file.read_text() == before, "other settings have a folder of their own"
    client = tracking.store.client()
    runs = [client.get_run(json.loads(each.read_text())["mlflow_run_id"]) for each in (file, other_file)]
    assert [run.info.lifecycle_stage for run in runs] == ["active", "active"]
    named = [compose([*ADDING, "rnn=elman", "seed=1", "name=mine", f"task.training.clip={clip}"]) for clip in (0.5, 0.25)]
    train(named[0])
    assert (place / "trained/adding/elman-mine/1/training.json").exists()
    with pytest.raises(ValueError, match=r"name=mine: .*elman-mine/1 has a training of other settings .*clip was 0.5, is 0.25"):
        train(named[1])
    with pytest.raises(ValueError, match=r"name=mine: .*clip was 0.5, is 0.25\); a name brings no settings along: give those"):
        evaluate(named[1])
    evaluate(named[0])
    assert (place / "runs/adding/elman-mine/1/metrics.json").exists()


def test_a_training_that_is_done_is_told_anew_where_only_words_differ(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=elman", "seed=1")
    train(experiment)
    file = experiment.trained(1) / "training.json"
    before, weights = json.loads(file.read_text()), (file.parent / "model.ckpt").read_bytes()
    found = {"sweep": "adding-elman-mine", "trials": 4, "pruned": 0, "best": 1, "varied": []}
    told = compose([*ADDING, "rnn=elman", "seed=1", "task.description=Said better."])
    train(told.model_copy(update={"tuning": found}))
    after = json.loads(file.read_text())
    assert (after["config"]["task"]["description"], after["config"]["tuning"]["trials"]) == ("Said better.", 4)
    assert "task.description=Said better." in after["command"]
    assert {key for key in before if before[key] != after[key]} == {"config", "command"}
    assert (file.parent / "model.ckpt").read_bytes() == weights


def test_two_processes_do_not_make_one_training(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=elman", "seed=1")
    train(experiment)
    (work,) = Path("work/locks").glob("adding-elman-*-1")
    with (
        lock_folder(work, "adding"),
        pytest.raises(ValueError, match=f"another process is at work on {experiment.trained(1)}, in {work}"),
    ):
        train(experiment)


@pytest.mark.parametrize("metric", ["test/losss", "test/macro_f1"])
def test_a_metric_that_no_validation_logs_is_refused_before_the_first_step(place: Path, metric: str) -> None:
    experiment = prepared(ADDING, "rnn=elman", "seed=1", f"task.metric.name={metric}")
    with pytest.raises(ValueError, match=f"must be a metric that every validation logs too: test/loss; not {metric}"):
        train(experiment)
    assert not Path("mlflow.db").exists() and not list(Path("work").glob("*/*.ckpt"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task.parameters=1000000000000"], r"1,000,000,000,000 parameters .* about 8,000.0 GB, over the limit of "),
        (["trainer.memory_limit_gb=0.00001"], r"over the limit of 0.0 GB \(trainer.memory_limit_gb\): take less, or raise"),
        (["task.parameters=null", "+task.rnn.hidden_size=1000000"], r"parameters, 4 numbers for each take about [\d,.]+ GB"),
    ],
)
def test_a_training_over_the_limit_of_memory_is_refused_with_the_estimate(place: Path, words: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        train(prepared(ADDING, "rnn=elman", "seed=1", *words))


def test_a_search_where_nothing_is_searched_for_is_refused(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=elman", "seed=1", "+task.metric.search={beam_size:3}")
    with pytest.raises(ValueError, match=r"task.metric.search is \{'beam_size': 3\}, but neither translations nor labels"):
        train(experiment)


def test_a_graphics_processor_that_is_not_there_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    experiment = prepared(ADDING, "rnn=elman", "seed=1", "trainer.accelerator=gpu")
    with pytest.raises(ValueError, match=r"trainer.accelerator is gpu, but PyTorch finds no graphics processor"):
        train(experiment)


def test_an_interrupted_training_leaves_no_result_and_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepared(ADDING, "rnn=layernorm_lstm", "seed=1")
    train_one(whole, 1)
    expected = torch.load(whole.trained(1) / "model.ckpt", weights_only=True)["state_dict"]
    curves = (whole.trained(1) / "curves.csv").read_text()

    other = prepared(ADDING, "rnn=layernorm_lstm", "seed=1", "trainer.checkpoint_seconds=1e-9")
    steps = SequenceClassifier.training_step

    def interrupted(self: SequenceClassifier, batch: object, batch_idx: int) -> torch.Tensor:
        if batch_idx == 8:
            raise KeyError("power is out")
        return steps(self, batch, batch_idx)

    monkeypatch.setattr(SequenceClassifier, "training_step", interrupted)
    monkeypatch.chdir(place)
    with pytest.raises(KeyError):
        train_one(other, 1)
    done = json.loads((whole.trained(1) / "training.json").read_text())
    assert done["config"]["trainer"]["checkpoint_seconds"] == 0
    monkeypatch.setattr(SequenceClassifier, "training_step", steps)
    train_one(other, 1)
    torch.testing.assert_close(
        torch.load(whole.trained(1) / "model.ckpt", weights_only=True)["state_dict"], expected, rtol=0, atol=0
    )
    without_time = [[*row[:2], *row[3:]] for row in csv.reader(curves.splitlines())]
    again = (whole.trained(1) / "curves.csv").read_text()
    assert [[*row[:2], *row[3:]] for row in csv.reader(again.splitlines())] == without_time


def test_several_seeds_are_trained_in_processes_of_their_own_and_one_that_fails_is_named(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=gru", "seeds=2", "workers=2")
    train(experiment)
    for seed in (1, 2):
        assert json.loads((experiment.trained(seed) / "training.json").read_text())["seed"] == seed
    weights = [torch.load(experiment.trained(seed) / "model.ckpt", weights_only=True)["state_dict"] for seed in (1, 2)]
    assert not torch.equal(weights[0]["network.core.weight_hh_l0"], weights[1]["network.core.weight_hh_l0"])
    (place / "data/processed/adding/train.npz").unlink()
    with pytest.raises(ValueError, match=r"seed 1: .*train.npz is missing"):
        train(compose([*ADDING, "rnn=lstm", "seeds=2", "workers=2"]))
    assert len(list(Path("trained/adding").iterdir())) == 1


def test_a_model_is_measured_on_the_data_that_it_learnt_from(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=gru", "seed=1")
    train(experiment)
    evaluate(experiment)
    measured = (experiment.run(1) / "metrics.json").read_text()
    (place / "data/raw/adding").rename(place / "data/raw/of-before")
    other = prepared(ADDING, "rnn=gru", "seed=1", "task.corpus.seed=9")
    with pytest.raises(
        FileNotFoundError, match=r"trained/adding/gru-\w+/1 has no finished training: `python -m pipelines.train`"
    ):
        evaluate(other)
    other = other.model_copy(update={"trained_name": experiment.trained_name})
    with pytest.raises(
        ValueError, match=r"trained/adding/gru-\w+/1 was trained on data \w{12}, and \w{12} is what is there now"
    ):
        evaluate(other)
    with pytest.raises(
        ValueError, match=r"data/processed/adding was made with other settings \(task.corpus.seed was 9, is 1\)"
    ):
        evaluate(experiment)
    assert (experiment.run(1) / "metrics.json").read_text() == measured


def test_a_run_that_diverges_ends_with_the_step_named(place: Path) -> None:
    experiment = prepared(ADDING, "rnn=elman_relu", "seed=1", "task.training.clip=0", "task.model.optimizer.lr=1e30")
    with pytest.raises(FloatingPointError, match=r"at step \d+: lower the learning rate or clip"):
        train(experiment)
    assert not experiment.trained(1).exists()


INTERVALS = [(None, 10, 5), (3, 10, 3), (10, 10, 10), (1, 10, 1), (None, 2, 2), (None, 1, 1)]


@pytest.mark.parametrize(("every", "planned", "expected"), INTERVALS)
def test_validations_come_every_so_many_steps_or_once_an_epoch(every: int | None, planned: int, expected: int) -> None:
    assert interval(Training(epochs=2, clip=1.0, validate_every=every), planned) == expected


def test_a_training_that_would_end_before_its_first_validation_is_refused() -> None:
    with pytest.raises(ValueError, match="validate_every is 11, but all epochs have 10 steps"):
        interval(Training(epochs=2, clip=1.0, validate_every=11), 10)
