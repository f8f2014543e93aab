"""Run folders as training and evaluation leave them: made up, with what a test asks for, or by the stages themselves."""

import csv
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import write_fetched

from rnn_lightning.files import write_sums

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pipelines.settings.schema import Experiment
    from rnn_lightning import System

LABELS = {"elman": "Elman RNN (tanh)", "lstm": "LSTM", "gru": "GRU", "layernorm_lstm": "LSTM with layer norm"}


def make_run(project: Path, task: str, rnn: str, seed: int, metrics: Mapping[str, float] | None, **changes: Any) -> Path:
    """A run folder under ``project``/runs; without ``metrics`` it was trained but not evaluated."""
    folder = project / "runs" / task / rnn / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"task": {"name": task}, "rnn": {"cell": rnn, "hidden_size": 64}, "trainer": {"max_steps": 400}, "seed": seed}
    training = {
        "task": task,
        "rnn": rnn,
        "seed": seed,
        "label": LABELS[rnn],
        "planned_steps": 400,
        "steps": 400,
        "parameters": 100_000 + 100 * len(rnn),
        "seconds": 90.0 + seed,
        "units_per_second": 12_345.6,
        "unit": "tokens",
        "peak_memory_mb": 512.0,
        "hardware": "AMD EPYC, 2 cores",
        "threads": 1,
        "precision": "32-true",
        "backend": "cpu",
        "commit": "0123456789abcdef",
        "dvc_lock": "f00d",
        "data": "ab" * 32,
        "command": f"python -m pipelines.train task={task} rnn={rnn} seed={seed}",
        "config": config,
        "mlflow_run_id": None,
        "best_step": 400,
        "best_value": 1.5,
    }
    (folder / "training.json").write_text(json.dumps(training | changes))
    last = (metrics or {"test/loss": 2.0})["test/loss"]
    with (folder / "curves.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["step", "epoch", "seconds", "metric", "value"])
        for step in range(20, 401, 20):
            value = last * (1 + 2 * 0.98**step)
            lines.writerows([[step, 0, step / 4, "train/loss", value * 0.98], [step, 0, step / 4, "val/loss", value]])
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    write_sums(folder)
    return folder


def make_task(project: Path, task: str, title: str = "Made-up text") -> None:
    """A task's configuration, and its data's card."""
    conf, data = project / "conf" / "task", project / "data" / "processed" / task
    conf.mkdir(parents=True, exist_ok=True)
    data.mkdir(parents=True, exist_ok=True)
    (conf / f"{task}.yaml").write_text(
        f"title: {title}\ndescription: Words that somebody made up.\nmetric: {{name: test/loss, mode: min}}\n"
        "unit: tokens\n"
        "references:\n- {name: guessing, value: 4.6, source: all words alike}\n- {name: entropy, card: entropy_rate_nats}\n"
    )
    card = {
        "title": title,
        "source": {"url": "made up"},
        "licence": "CC0",
        "references": {"entropy_rate_nats": 0.9},
        "splits": {"train": {"tokens": 1000}, "test": {"tokens": 100}},
        "sha256": {"all": "ab" * 32, "files": {}},
    }
    (data / "card.json").write_text(json.dumps(card))
    write_sums(data)


def store_run(folder: Path, experiment: "Experiment", system: "System", card: dict[str, Any]) -> Path:
    """A folder from which predictors are loaded, of a ``system`` that has learned nothing, but says many things."""
    import lightning
    import torch

    from pipelines.kinds import kind_of

    with torch.no_grad():
        for parameter in system.parameters():
            parameter.copy_(1.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    folder.mkdir(parents=True)
    kept = {"state_dict": system.state_dict(), "hyper_parameters": dict(system.hparams)}
    torch.save({**kept, "pytorch-lightning_version": lightning.__version__}, folder / "model.ckpt")
    kind_of(experiment).write_predictor(experiment, card, folder)
    return folder


def store_task(folder: Path, *settings: str) -> Path:
    """As ``store_run``, of a small network on the generated task that the ``settings`` name; its data lie in ``data/``."""
    from pipelines.settings.compose import compose
    from pipelines.training.building import build_system
    from rnn_lightning.files import read_json

    rows = "task.corpus.rows={train: 80, validation: 5, test: 50}"
    experiment = compose([*settings, rows, "task.parameters=null", "+task.rnn.hidden_size=8", "seed=1"])
    corpus = experiment.task.corpus.build()
    corpus.fetch(experiment.raw())
    corpus.preprocess(experiment.raw(), experiment.processed())
    card = read_json(experiment.processed() / "card.json")
    return store_run(folder, experiment, build_system(experiment, card, planned=10), card)


def store_values(folder: Path) -> Path:
    """As ``store_run``, of a network from arrays (T, 2) to a value."""
    from pipelines.settings.compose import compose
    from pipelines.training.building import build_system

    experiment = compose(["task=adding", "task.parameters=null", "+task.rnn.hidden_size=8", "seed=1"])
    return store_run(folder, experiment, build_system(experiment, {}, planned=10), {})


def stored_model(folder: Path) -> str:
    """The URI of the model that MLflow serves for a predictor's folder."""
    from pipelines import tracking
    from pipelines.tracking.finished import publish_model

    run = tracking.start_run(folder, experiment="predictors", name=folder.name, config={}, tags={})
    publish_model(run, folder)
    tracking.flush()
    store, run_id = tracking.store.client(), str(tracking.shown_as(run))
    (stored,) = store.search_logged_models([store.get_run(run_id).info.experiment_id], f"source_run_id = '{run_id}'")
    return stored.model_uri


def undrawn(patch: pytest.MonkeyPatch) -> None:
    """A comparison shows nothing on the dashboard, and is as quick as its numbers: of each figure the file is empty."""
    from matplotlib import pyplot

    def save(figure: "Figure", file: Path) -> Path:
        pyplot.close(figure)
        file.touch()
        return file

    patch.setattr("pipelines.compare.publish_comparison", lambda *_: None)
    patch.setattr("pipelines.comparing.figures.save", save)


@contextmanager
def own_place(place: Path) -> Iterator[None]:
    """``place`` is the working folder, and has the dashboard's store; notes that are not delivered there are dropped."""
    courier = importlib.import_module("pipelines.tracking.courier")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db")
        patch.setattr(courier, "SPOOLS", {})
        yield


def with_corpus(place: Path, arguments: list[str]) -> Path:
    """``place``, with the corpus of a task that needs no network, fetched and preprocessed."""
    from pipelines.fetch import fetch
    from pipelines.preprocess import preprocess
    from pipelines.settings.compose import compose

    with own_place(place):
        for stage in (fetch, preprocess):
            stage(compose(arguments))
    return place


@contextmanager
def run_on_tables(place: Path, arguments: list[str], tables: Callable[[Any], Any]) -> Iterator[Path]:
    """As ``run_by_stages``, on the ``tables`` that ``fetch`` would leave of the corpus that they are given."""
    from pipelines.evaluate import evaluate
    from pipelines.preprocess import preprocess
    from pipelines.settings.compose import compose
    from pipelines.train import train

    with own_place(place):
        experiment = compose(arguments)
        corpus = experiment.task.corpus.build()
        write_fetched(experiment.raw(), tables(corpus), corpus.spec())
        for stage in (preprocess, train, evaluate):
            stage(experiment)
        yield place / experiment.run(1)


@contextmanager
def run_by_stages(place: Path, arguments: list[str]) -> Iterator[Path]:
    """The run of seed 1 that all stages make in ``place``, which is also the working folder as long as it is in use."""
    from pipelines.evaluate import evaluate
    from pipelines.fetch import fetch
    from pipelines.preprocess import preprocess
    from pipelines.settings.compose import compose
    from pipelines.train import train

    with own_place(place):
        experiment = compose([*arguments, "seed=1"])
        for stage in (fetch, preprocess, train, evaluate):
            stage(experiment)
        yield place / experiment.run(1)


SMALL = ["task.corpus.rows={train: 40, validation: 10, test: 10}", "task.data.batch_size=10"]
SMALL += ["task.parameters=null", "task.rnn.hidden_size=4", "task.training.epochs=2", "task.training.validate_every=2"]


@contextmanager
def trained_in(place: Path, *arguments: str, rnn: str = "gru", task: str = "adding") -> Iterator[Path]:
    """A training on a few rows of a generated task in ``place``, the working folder meanwhile, without a dashboard."""
    from pipelines import tracking
    from pipelines.runs.cards import note_corpus
    from pipelines.settings.compose import compose
    from pipelines.training.run import train_one

    recording = importlib.import_module("pipelines.tracking.recording")  # beside it there is a function of that name
    place.mkdir(parents=True, exist_ok=True)
    with own_place(place), pytest.MonkeyPatch.context() as patch:
        for place_of, name in ((tracking, "flush"), (recording, "flush"), (recording, "show")):
            patch.setattr(place_of, name, lambda: None)
        experiment = compose([f"task={task}", f"rnn={rnn}", "seed=1", *SMALL, *arguments])
        corpus = experiment.task.corpus.build()
        if not experiment.processed().exists():
            corpus.fetch(experiment.raw())
            corpus.preprocess(experiment.raw(), experiment.processed())
            note_corpus(experiment)
        train_one(experiment, 1)
        yield place / experiment.trained(1)
