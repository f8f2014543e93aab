"""Small translation runs whose networks have learned nothing, evaluated by the stage alone, and by several together."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from run_folders import make_run, own_place, store_run
from test_predict_search import language_model

from pipelines.evaluate import complete_run
from pipelines.runs.cards import note_corpus
from pipelines.runs.provenance import provenance
from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from rnn_lightning.files import read_json, write_json, write_sums

SMALL = ["task.parameters=null", "+task.rnn.hidden_size=8", "task.corpus.rows={train: 80, validation: 5, test: 12}"]
LANGUAGE = "runs/text/gru/1"


def experiment_of(rnn: str, seed: int, **search: Any) -> Experiment:
    plain = json.dumps({"beam_size": 3, "max_length": 12, **search}).replace('"', "")
    return compose(["task=dates", f"rnn={rnn}", f"seed={seed}", *SMALL, f"task.metric.search={plain}"])


def train(rnn: str, seed: int) -> None:
    """What a training leaves in ``trained/``, of a network that has learned nothing, but says many things."""
    experiment, card = experiment_of(rnn, seed), read_json(Path("data/processed/dates/card.json"))
    torch.manual_seed(seed)
    folder = store_run(experiment.trained(seed), experiment, build_system(experiment, card, planned=10), card)
    cost = {"planned_steps": 9, "steps": 9, "parameters": 1000 * seed, "seconds": 60.0 * seed, "units_per_second": 1.0}
    cost |= {"peak_memory_mb": 1.0, "best_step": 9, "best_value": 0.5, "mlflow_run_id": None}
    write_json(folder / "training.json", provenance(experiment, seed, card["sha256"]["all"]) | cost)
    (folder / "curves.csv").write_text("step,epoch,seconds,metric,value\n9,1,1.0,val/accuracy,0.5\n")
    write_sums(folder)


def evaluate(rnn: str = "gru", seed: int = 1, **search: Any) -> Path:
    """The folder of a run that is evaluated with a ``search``."""
    experiment = experiment_of(rnn, seed, **search)
    if not (folder := experiment.run(seed)).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        complete_run(experiment, seed, read_json(experiment.processed() / "card.json"))
    return folder


def lines(side: str) -> list[str]:
    return Path(f"data/processed/dates/test.{side}.txt").read_text().splitlines()


def metrics_of(folder: Path) -> dict[str, float]:
    return read_json(folder / "metrics.json")


@contextmanager
def translation_runs(where: Path) -> Iterator[None]:
    """Runs of a GRU and an LSTM, and one of a language model over the same tokens, in the working folder ``where``."""
    with own_place(where):
        experiment = experiment_of("gru", 1)
        corpus = experiment.task.corpus.build()
        corpus.fetch(experiment.raw())
        corpus.preprocess(experiment.raw(), experiment.processed())
        note_corpus(experiment)
        for rnn, seed in (("gru", 1), ("lstm", 2)):
            train(rnn, seed)
            evaluate(rnn, seed)
        language_model(where, "data/processed/dates/target_tokenizer.json")
        Path(LANGUAGE).parent.mkdir(parents=True)
        Path("runs/language").rename(LANGUAGE)
        make_run(where, "text", "gru", 1, {"test/loss": 2.0})
        yield
