"""What runs scored on other corpora than their own, as a table: a row for each corpus and configuration, over its seeds."""

from collections.abc import Sequence

from pipelines.comparing.summary import Cells, Row, spread
from pipelines.display.numbers import number
from pipelines.runs.measured import Measured
from pipelines.settings.tasks import Task

TITLE = "On other data"
CAPTION = (
    "The same trained models on the test splits of other corpora, with their own vocabulary, classes and standardization. "
    "Classes that a model has not learnt count as errors. A metric that cannot be told then, such as the loss, is left out."
)


def table(measured: Sequence[Measured], made: Sequence[Row], task: Task) -> Cells:
    """The task's metric and the others, as means over the seeds of each of the rows ``made``."""
    groups: dict[tuple[str, str], list[Measured]] = {}
    for each in measured:
        label = next(row.label for row in made if each.run in row.runs)
        groups.setdefault((each.on, label), []).append(each)
    others = sorted({name for each in measured for name in each.metrics} - {task.metric.name})
    names = [task.metric.name, *others]
    cells = [["corpus", "architecture", *names, "seeds", "data"]]
    for (on, label), some in groups.items():
        means = [_mean(some, name) for name in names]
        cells.append([on, label, *means, str(len(some)), ", ".join(sorted({each.data[:12] for each in some}))])
    return cells


def _mean(measured: Sequence[Measured], name: str) -> str:
    """Over those of which the metric could be measured; empty where it could of none."""
    values = [each.metrics[name] for each in measured if name in each.metrics]
    return number(spread(values).mean) if values else ""
