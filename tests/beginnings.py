"""Systems as their training begins, with what fine-tuning loads into them."""

import shutil
from pathlib import Path
from typing import Any

import torch
from corpora import write_fetched
from run_folders import SMALL
from torch import Tensor

from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from pipelines.training.initial import begin_from
from rnn_lightning import System
from rnn_lightning.files import read_json
from rnn_lightning.models.checkpoints import read_checkpoint

SIZES = ["task.parameters=null", "+task.rnn.hidden_size=4", "seed=1"]


def experiment_of(task: str, *more: str) -> Experiment:
    return compose([f"task={task}", "rnn=gru", "seed=1", *SMALL, *more])


def card_of(experiment: Experiment) -> dict[str, Any]:
    return read_json(experiment.processed() / "card.json")


def weights(folder: Path) -> dict[str, Tensor]:
    return read_checkpoint(folder / "model.ckpt")["state_dict"]


def begun(task: str, *more: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights with which a training begins that differs from the source by ``more``, and what is recorded of it."""
    experiment = experiment_of(task, *more)
    torch.manual_seed(7)
    system = build_system(experiment, card_of(experiment), planned=10)
    return system.state_dict(), begin_from(experiment, card_of(experiment), system)


def system_on(experiment: Experiment, rows: dict[str, list[Any]]) -> System:
    """A new system on a corpus whose splits all have these ``rows``, which takes the place of the one before."""
    corpus = experiment.task.corpus.build()
    shutil.rmtree("data", ignore_errors=True)
    write_fetched(experiment.raw(), dict.fromkeys(("train", "validation", "test"), rows), corpus.spec())
    corpus.preprocess(experiment.raw(), experiment.processed())
    return build_system(experiment, card_of(experiment), planned=10)
