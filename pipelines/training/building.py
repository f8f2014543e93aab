"""Building a task's system from its settings and the card of its corpus."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pipelines.settings.keywords import by_their_keys
from pipelines.settings.schema import Experiment
from pipelines.training.keywords import BALANCED
from pipelines.training.memory import check_budget
from rnn_lightning import System, hidden_size_for
from rnn_lightning.checks import check_counts
from rnn_lightning.models.class_weights import balanced_weights
from rnn_lightning.optimization import PERIODS
from rnn_lightning.sliced import blocks

OF_CARD = {"vocabulary_size": "vocab_size", "target_vocabulary_size": "target_vocab_size", "target_end": "end"}
OF_CARD |= {"tags": "tags", "num_tags": "num_tags", "num_characters": "num_characters"}
OF_CARD |= {name: name for name in ("input_size", "standardize", "classes", "num_classes", "labels")}
OF_CARD |= {name: name for name in ("targets", "standardize_targets", "horizon", "known", "seasonal_errors")}
"""Keywords of a system that the corpus decides: keys of its card, and the keywords they are passed as."""


def build_system(experiment: Experiment, card: dict[str, Any], planned: int) -> System:
    """Build the task's system around the architecture, at the task's number of parameters where it sets one.

    ``planned`` optimiser steps are the period of a schedule that has one, such as cosine.

    Raises:
        ValueError: for a keyword that the corpus decides, or more parameters than there is memory for.
    """
    return sized_system(experiment, card, planned)()


def sized_system(experiment: Experiment, card: dict[str, Any], planned: int, data: Any = None) -> Callable[[], System]:
    """What builds the system: its hidden size is found, but no weight is drawn. Of ``data``, their module, it takes the weights
    of classes where these are to be ``balanced``."""
    task = experiment.task
    rnn = {**experiment.rnn, **task.rnn}
    settings = {"task.rnn": task.rnn, "rnn": experiment.rnn, "task.model": task.model.model_extra or {}}
    more = of_card(experiment, card)
    schedule = (task.model.model_extra or {}).get("schedule") or {}
    if period := PERIODS.get(str(schedule.get("name"))):
        more["schedule"] = {period: planned, **schedule}

    if (task.model.model_extra or {}).get("class_weights") == BALANCED:
        more["class_weights"] = balanced(data, more)

    def build(size: int) -> System:
        with by_their_keys(settings):
            return task.model.build(rnn={**rnn, "hidden_size": size}, **more)

    if rnn.get("hidden_size") is not None:
        return partial(build, rnn["hidden_size"])
    assert task.parameters is not None  # the schema wants one of the two
    check_budget(experiment)
    with by_their_keys(settings):
        check_counts(heads=rnn.get("heads", 1))
    return partial(build, hidden_size_for(rnn["cell"], parameters=task.parameters, build=build, multiple=rnn.get("heads", 1)))


def of_card(experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
    """Keywords of the system that the corpus decides.

    Raises:
        ValueError: where the settings have one of them.
    """
    more: dict[str, Any] = {name: card[key] for key, name in OF_CARD.items() if card.get(key) is not None}
    for name in (experiment.task.model.model_extra or {}).keys() & more.keys():
        raise ValueError(f"task.model.{name} cannot be set: it is what the card of the corpus says; leave it out")
    return more


def balanced(data: Any, more: dict[str, Any]) -> list[float]:
    """Weights by which each class has the same part in the loss of the training split of ``data``; ``more`` are keywords of the
    system.

    Raises:
        ValueError: where the corpus has no classes.
    """
    classes = more.get("classes") or more.get("tags") or range(more.get("num_classes") or more.get("num_tags") or 0)
    if not len(classes):
        raise ValueError("task.model.class_weights cannot be balanced: the corpus has no classes")
    return balanced_weights(blocks(data.mapped("train")["targets"]), len(classes))
