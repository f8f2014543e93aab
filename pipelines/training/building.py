"""Building a task's system from its settings and the card of its corpus."""

from typing import Any

from pipelines.settings.schema import Experiment
from rnn_lightning import System, hidden_size_for

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
