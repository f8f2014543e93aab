"""Building a task's system from its settings and the card of its corpus."""

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
"""Keywords of a system that the corpus decides: keys of its card, and the keywords they are passed as."""


def build_system(experiment: Experiment, card: dict[str, Any], planned: int) -> System:
    """Build the task's system around the architecture, at the task's number of parameters where it sets one.

    ``planned`` optimiser steps are the period of a cosine schedule.

    Raises:
        ValueError: where neither a number of parameters nor a hidden size is given.
    """
    task = experiment.task
    rnn = {**experiment.rnn, **task.rnn}
    schedule = (task.model.model_extra or {}).get("schedule") or {}
    more: dict[str, Any] = {name: card[key] for key, name in OF_CARD.items() if card.get(key) is not None}
    if schedule.get("name") == "cosine":
        more["schedule"] = {"T_max": planned, **schedule}
    if "hidden_size" not in rnn:
        if task.parameters is None:
            raise ValueError("either task.parameters (a budget) or task.rnn.hidden_size must be given")

        def build(size: int) -> System:
            return task.model.build(rnn={**rnn, "hidden_size": size}, **more)

        rnn["hidden_size"] = hidden_size_for(rnn["cell"], parameters=task.parameters, build=build)
    return task.model.build(rnn=rnn, **more)


def start_from_vectors(system: Tagger, processed: Path) -> None:
    """Initialise the embedding with the pretrained vectors of the corpus, where the task asks for them.

    Raises:
        ValueError: where only one of the two has vectors.
    """
    use, file = system.hparams.get("vectors"), processed / VECTORS
    if use is None and not file.exists():
        return
    if use is None or not file.exists():
        have = "the corpus has" if use is None else f"task.model.vectors is {use!r}, but the corpus has no"
        raise ValueError(f"{have} pretrained vectors: set both task.corpus.vectors, a file, and task.model.vectors, or neither")
    with np.load(file, allow_pickle=False) as arrays:
        system.load_vectors(torch.from_numpy(arrays["matrix"]), torch.from_numpy(arrays["found"]))
