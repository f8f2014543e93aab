"""The best run of a task in the model registry: the newest version of the model that is named after the task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.runs.folders import Run, folder_of
from pipelines.settings.tasks import Task
from pipelines.settings.tuned import Budget, Finding
from pipelines.tracking.finished import publish_model, publish_run
from pipelines.tracking.record import Registration
from rnn_lightning.files import read_json

ALIAS = "best"


def register_best(runs: Path, finished: Sequence[Run], task: Task, card: dict[str, Any], processed: Path) -> str:
    """Have the best of the ``finished`` runs, by validation, registered as ``TASK@best``; returns a line that says so. Those
    that were tested together with others are left aside.

    The registry keeps a better one of the same data and budget that it has.
    """
    alone = [run for run in finished if not run.partners]
    found = [(finding_of(run, folder_of(runs, task.name, run.folder_name, run.seed), task), run) for run in alone]
    finding, best = min(found, key=lambda each: task.metric.sort_key(each[0].value))
    folder = folder_of(runs, task.name, best.folder_name, best.seed)
    run_id = publish_run(folder, best, task, card)
    place = Registration(task.name, ALIAS, finding.model_dump(mode="json"))
    publish_model(run_id, folder, place, processed=processed)
    return f"{folder} is {task.name}@{ALIAS} of the model registry, unless that has a better one"


def finding_of(run: Run, folder: Path, task: Task) -> Finding:
    """How good a run was on validation, and with which means."""
    settings = run.config["task"]
    return Finding(
        metric=task.metric.monitor,
        mode=task.metric.mode,
        value=read_json(folder / "training.json")["best_value"],
        data=run.data,
        budget=Budget(epochs=settings["training"]["epochs"], parameters=settings.get("parameters")),
        overrides=[f"task={task.name}", f"rnn={run.rnn}"],
    )
