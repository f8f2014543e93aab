"""From a task's settings and its corpus to a system that can be trained."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.settings.schema import Experiment
from rnn_lightning import System, Tagger, hidden_size_for
from rnn_lightning.corpora.tagging import VECTORS

OF_CARD = {"vocabulary_size": "vocab_size", "target_vocabulary_size": "target_vocab_size", "target_end": "end"}
OF_CARD |= {"tags": "tags", "num_tags": "num_tags", "num_characters": "num_characters"}
OF_CARD |= {name: name for name in ("input_size", "standardize", "classes", "num_classes", "labels")}
"""What the data decide of a model: keys of the card, and keywords of the system."""


def build_system(experiment: Experiment, card: dict[str, Any], planned: int) -> System:
    """The task's system around the architecture, at the task's number of parameters where it sets one.

    Raises:
        ValueError: where neither a number of parameters nor a hidden size is given.
    """
    task = experiment.task
    rnn = {**experiment.rnn, **task.rnn}
    told = dict(task.model.model_extra or {})
    more: dict[str, Any] = {name: card[key] for key, name in OF_CARD.items() if card.get(key) is not None}
    if (told.get("schedule") or {}).get("name") == "cosine":
        more["schedule"] = {"T_max": planned, **told["schedule"]}
    if "hidden_size" not in rnn:
        if task.parameters is None:
            raise ValueError("either task.parameters (a budget) or task.rnn.hidden_size must be given")

        def build(size: int) -> System:
            return task.model.build(rnn={**rnn, "hidden_size": size}, **more)

        rnn["hidden_size"] = hidden_size_for(rnn["cell"], parameters=task.parameters, build=build)
    return task.model.build(rnn=rnn, **more)


def start_from_vectors(system: Tagger, processed: Path) -> None:
    """Give the embedding the pretrained vectors of the corpus, where the task asks for some.

    Raises:
        ValueError: where only one of the two has vectors.
    """
    told, file = system.hparams.get("vectors"), processed / VECTORS
    if told is None and not file.exists():
        return
    if told is None or not file.exists():
        have = "the corpus has" if told is None else f"task.model.vectors is {told!r}, but the corpus has no"
        raise ValueError(f"{have} pretrained vectors: set both task.corpus.vectors, a file, and task.model.vectors, or neither")
    with np.load(file, allow_pickle=False) as arrays:
        system.load_vectors(torch.from_numpy(arrays["matrix"]), torch.from_numpy(arrays["found"]))
