"""The metrics of a trained model on a test split: its own, and those of its kind."""

import math
from pathlib import Path
from typing import Any

from pipelines.settings.schema import Experiment


def load_trained(experiment: Experiment, folder: Path) -> Any:
    """The system of the checkpoint in ``folder``."""
    return experiment.task.model.cls().load_from_checkpoint(folder / "model.ckpt", map_location="cpu", weights_only=True)


def measure(experiment: Experiment, system: Any, folder: Path) -> dict[str, float]:
    """The metrics of ``system`` on the test split of the experiment's processed corpus; tables and figures are left in
    ``folder``. Of a system that searches together with other runs, all are those of them together."""
    from pipelines.kinds import kind_of
    from pipelines.runs.partners import names_others
    from pipelines.training.memory import check_search
    from pipelines.training.trainers import Testing, make_trainer, quieten, set_precision

    quieten()
    set_precision(experiment)
    data = experiment.task.data.build(folder=experiment.processed())
    check_search(experiment, system, data)
    metrics: dict[str, float] = {}
    if not names_others(experiment.task.metric.search):
        callbacks = [Testing(f"test of {experiment.task_name} {experiment.rnn_name}")]
        trainer = make_trainer(experiment, processes=1, logger=False, callbacks=callbacks)
        metrics.update(*trainer.test(system, data, verbose=False))
    return metrics | kind_of(experiment).test(experiment, system, data, folder)


def finite(value: float) -> float | None:
    """A value as ``metrics.json`` keeps it: null where there was nothing to measure it on, since JSON has no NaN."""
    return value if math.isfinite(value) else None


def shown(metrics: dict[str, float]) -> str:
    """The metrics in a line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
