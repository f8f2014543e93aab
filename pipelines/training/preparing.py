"""A training as it begins: its data, its system, and how often it validates, once all of it is known to be possible."""

import math
from typing import Any

import lightning

from pipelines.kinds import kind_of
from pipelines.runs.partners import partners_of
from pipelines.settings.schema import Experiment, Training
from pipelines.settings.trainer import Averaging
from pipelines.training.building import sized_system
from pipelines.training.checks import check_metric
from pipelines.training.memory import check_memory
from rnn_lightning import System


def data_of(experiment: Experiment, seed: int) -> Any:
    """The data module of a training."""
    return experiment.task.data.build(folder=experiment.processed(), seed=seed, epochs=experiment.task.training.epochs)


def steps_of(experiment: Experiment, data: Any) -> int:
    """The optimiser steps of a training on ``data``, each of which takes ``trainer.accumulate_grad_batches``."""
    return math.ceil(data.planned_steps() / experiment.trainer.accumulate_grad_batches)


def prepared_system(experiment: Experiment, seed: int, card: dict[str, Any], data: Any) -> System:
    """The system as its training begins, once it is known to fit the memory and to log what it is judged by.

    Raises:
        ValueError: where it does not.
    """
    lightning.seed_everything(seed, verbose=False)
    build = sized_system(experiment, card, steps_of(experiment, data), data)
    check_memory(experiment, build, data)
    system = build()
    check_metric(experiment, system)
    partners_of(experiment.task.metric.search, card["sha256"]["all"])
    kind_of(experiment).prepare(experiment, system, data)
    return system


def check_again(experiment: Experiment, seed: int, card: dict[str, Any]) -> None:
    """Refuse, for a training that is done, what would be refused before it: its test is another one now.

    Raises:
        ValueError: as `prepared_system`.
    """
    prepared_system(experiment, seed, card, data_of(experiment, seed))


def interval(training: Training, planned: int) -> int:
    """The steps from one validation to the next, of ``planned``: an epoch's, but two where it has one.

    After a validation nothing can be saved before the next step is made.

    Raises:
        ValueError: if all steps are fewer.
    """
    every = training.validate_every or max(planned // training.epochs, min(2, planned))
    if every > planned:
        raise ValueError(
            f"task.training.validate_every is {every}, but all epochs have {planned} steps: set it lower, or to null"
        )
    return every


def check_averaging(averaging: Averaging | None, planned: int) -> None:
    """Refuse an average of weights that would begin after the last of the ``planned`` steps.

    Raises:
        ValueError: naming both.
    """
    if averaging is not None and (averaging.start or 0) >= planned:
        raise ValueError(
            f"trainer.averaging.start is {averaging.start}, but all epochs have {planned} steps: set it lower, or leave it out"
        )
