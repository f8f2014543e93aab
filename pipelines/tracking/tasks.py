"""A task in the dashboard: the description of its experiment, and the view of its runs that the description links to."""

import json

from pipelines.display.numbers import number
from pipelines.settings.tasks import Task
from pipelines.tracking.store import EXPERIMENT

VIEW = "best"
"""The name of the view."""
COLUMNS = ("metrics.`used/parameters`", "metrics.`used/training_seconds`", "tags.`label`", "tags.`seed`")


def task_tags(task: Task) -> dict[str, str]:
    """The tags of the task's experiment."""
    references = "".join(f"\n- {one.name}: {number(one.value)} ({one.source})" for one in task.references)
    link = f"[Best first](#/experiments/{EXPERIMENT}/runs?workflowType=machine_learning&viewStateShareKey={VIEW})"
    judged = f"Judged by `{task.metric.name}`, to {task.metric.direction}. {link}, with costs."
    return {
        "mlflow.note.content": f"## {task.title}\n\n{task.description}\n\n{judged}\n{references}",
        "title": task.title,
        "mlflow.experiment.primaryMetric.name": task.metric.name,
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(task.metric.mode == "max"),
        f"mlflow.sharedViewState.{VIEW}": _best_first(task),
    }


def _best_first(task: Task) -> str:
    """The state of MLflow's table of runs, as a link to it has it."""
    metric = f"metrics.`{task.metric.name}`"
    columns = [metric, *COLUMNS]
    return json.dumps({"selectedColumns": columns, "orderByKey": metric, "orderByAsc": task.metric.mode == "min"})
