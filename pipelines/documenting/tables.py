"""Tables of stored results: all architectures of one task, or the best and the last architecture of several tasks."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from pipelines.comparing import summary
from pipelines.comparing.summary import NONE, Row
from pipelines.display.numbers import number
from pipelines.runs.folders import Run
from pipelines.settings.tasks import Task, read_task


class StoredResults:
    """The runs that ``results/`` keeps, with their tasks; read when they are first asked for, and once."""

    def __init__(self, conf: Path, names: Sequence[str], read: Callable[[str], list[Run]]) -> None:
        """Take the tasks ``names`` of ``conf``, of which ``read`` gives the runs."""
        self.conf, self.names, self.read = conf, names, read
        self._rows: dict[str, list[Row]] = {}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """Every task that has stored runs, by name."""
        return {name: read_task(self.conf, name) for name in self.names}

    def task(self, name: str) -> Task:
        """The task of that name.

        Raises:
            ValueError: for a task that does not exist, or has no stored results.
        """
        if name not in self.tasks:
            read_task(self.conf, name)
            raise ValueError(f"a page shows results of {name}, but results/{name}.json does not exist")
        return self.tasks[name]

    def rows(self, name: str) -> list[Row]:
        """The rows of a task and of its variants, the best mean first.

        Raises:
            ValueError: as ``task`` does.
        """
        if name not in self._rows:
            task = self.task(name)
            variants = [other for other in self.tasks.values() if other.variant and other.variant.of == name]
            rows = [row for one in (task, *variants) for row in summary.rows(self.read(one.name), one)]
            self._rows[name] = summary.in_order(rows, task)
        return self._rows[name]


def results_table(stored: StoredResults, name: str) -> str:
    """The Markdown table of a task: quality and cost of every architecture, in every variant of the task."""
    return summary.as_markdown(summary.table(stored.rows(name), stored.task(name)))


def headlines(stored: StoredResults, names: Sequence[str]) -> str:
    """A Markdown table with one line a task: its metric, its best and its worst architecture, and a value to compare with."""
    heading = ["task", "metric", "best", "worst", "seeds", "reference"]
    return summary.as_markdown([heading, *(_headline(stored, name) for name in names)])


def _headline(stored: StoredResults, name: str) -> list[str]:
    task, rows = stored.task(name), stored.rows(name)
    rows = [row for row in rows if not any(run.name for run in row.runs)] or rows  # of the files' settings, if there are any
    (_, *_), *cells = summary.table(rows, task)
    (best, best_score), *others = [(label, score.removesuffix(f" ± {NONE}")) for label, score, *_ in cells]
    worst = f"{others[-1][0]} {others[-1][1]}" if others else NONE
    counts = sorted({len(row.runs) for row in rows})
    seeds = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))
    direction = "\N{DOWNWARDS ARROW}" if task.metric.sort_key(0) < task.metric.sort_key(1) else "\N{UPWARDS ARROW}"
    metric = f"{task.metric.name.removeprefix('test/')} {direction}"
    return [task.title, metric, f"{best} **{best_score}**", worst, seeds, _reference(task)]


def _reference(task: Task) -> str:
    """The best value that the task's file names, and what it is of."""
    known = sorted(task.references, key=lambda reference: task.metric.sort_key(reference.value))
    return f"{known[0].name}: {number(known[0].value)}" if known else NONE
