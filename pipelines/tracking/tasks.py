"""A task in the dashboard: its experiment, with a description."""

from pipelines.display.numbers import number
from pipelines.settings.tasks import Task
from pipelines.tracking.store import open_experiment


def describe_task(task: Task) -> str:
    """Make the task's experiment, or renew its description; returns its id."""
    references = "".join(f"\n- {one.name}: {number(one.value)} ({one.source})" for one in task.references)
    note = f"## {task.title}\n\n{task.description}\n\nJudged by `{task.metric.name}`, to {task.metric.direction}.\n{references}"
    return open_experiment(task.name, {"mlflow.note.content": note, "title": task.title})
