"""A task in the dashboard: the description of its experiment, and how the table of its runs is shown."""

import json
from collections.abc import Sequence

from pipelines.display.numbers import number
from pipelines.settings.tasks import Task
from pipelines.tracking.names import shown_name
from pipelines.tracking.store import EXPERIMENT

VIEW = "best"
"""The name of the view."""
STATE = f"mlflow.sharedViewState.{VIEW}"
"""The tag of an experiment that has the view."""
COSTS = ("used/parameters", "used/training_seconds")


def task_tags(task: Task) -> dict[str, str]:
    """The tags of the task's experiment."""
    references = "".join(f"\n- {one.name}: {number(one.value)} ({one.source})" for one in task.references)
    link = f"[Best first](#/experiments/{EXPERIMENT}/runs?workflowType=machine_learning&viewStateShareKey={VIEW})"
    judged = f"Judged by `{task.metric.name}`, to {task.metric.direction}. {link}, with costs."
    return {
        "mlflow.note.content": f"{task.title}.\n\n{task.description}\n\n{judged}\n{references}",
        "title": task.title,
        "mlflow.experiment.primaryMetric.name": task.metric.name,
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(task.metric.mode == "max"),
        **runs_shown([task.metric.name, *COSTS], task.metric.mode, ["label", "seed"]),
    }


def runs_shown(metrics: Sequence[str], mode: str, tags: Sequence[str] = (), parameters: Sequence[str] = ()) -> dict[str, str]:
    """The tag of an experiment by which MLflow's table of its runs has these columns, the best by the first metric on top."""
    named = {"metrics": metrics, "params": parameters, "tags": tags}
    columns = [f"{kind}.`{shown_name(name)}`" for kind, names in named.items() for name in names]
    return {STATE: json.dumps({"selectedColumns": columns, "orderByKey": columns[0], "orderByAsc": mode == "min"})}
