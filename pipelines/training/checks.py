"""What a training is checked for before its first step, besides its settings: its metric, its name and where it is kept."""

import os
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from pipelines.kinds import kind_of
from pipelines.settings.legacy import modern
from pipelines.settings.nested import changes
from pipelines.settings.schema import Experiment
from rnn_lightning import System
from rnn_lightning.files import read_json


def check_metric(experiment: Experiment, system: System) -> None:
    """Refuse a metric that no validation logs: the best step could not be told by it.

    Raises:
        ValueError: naming those that are logged.
    """
    name = experiment.task.metric.name.removeprefix("test/")
    logged = {*validated_names(system), *kind_of(experiment).validated}
    if name not in logged:
        there = ", ".join(f"test/{each}" for each in sorted(logged))
        raise ValueError(f"task.metric.name must be a metric that every validation logs too: {there}; not test/{name}")


def validated_names(system: System) -> set[str]:
    """The metrics that the system logs of a validation; some of them only where the data have what they count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is counted yet
        values = {name: metric.compute() for name, metric in system.metrics_of("val").items()}
        return {name for name, value in {**values, **system.epoch_values("val")}.items() if isinstance(value, Tensor)}


def check_name(experiment: Experiment, seed: int, facts: dict[str, Any]) -> None:
    """Refuse a name that a training of other settings has.

    Raises:
        ValueError: naming what differs.
    """
    file = experiment.trained(seed) / "training.json"
    if experiment.name is None or not file.exists():
        return
    if different := changes(modern(read_json(file)["config"]), facts["config"]):
        folder = file.parent
        raise ValueError(f"name={experiment.name}: {folder} has a training of other settings ({different}): give another name")


def check_places(*targets: Path) -> None:
    """Refuse folders that could not be put in place at the end of a training: what is above one is a file, or is read-only.

    Raises:
        ValueError: naming both.
    """
    for target in targets:
        above = next(folder for folder in target.absolute().parents if os.path.lexists(folder))
        if not above.is_dir():
            what = "a file" if above.exists() else "a link to what does not exist"
            raise ValueError(f"{target} cannot be made, {above} is {what}: remove it, or work in another folder")
        if not os.access(above, os.W_OK | os.X_OK):
            raise ValueError(f"{target} cannot be made, {above} may not be written to: change that, or work in another folder")
