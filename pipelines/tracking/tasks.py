"""A task in the dashboard: the description of its experiment."""

from pipelines.display.numbers import number
from pipelines.settings.tasks import Task


def task_tags(task: Task) -> dict[str, str]:
    """The tags of the task's experiment."""
    references = "".join(f"\n- {one.name}: {number(one.value)} ({one.source})" for one in task.references)
    note = f"## {task.title}\n\n{task.description}\n\nJudged by `{task.metric.name}`, to {task.metric.direction}.\n{references}"
    return {"mlflow.note.content": note, "title": task.title}
