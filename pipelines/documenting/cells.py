"""Tables of cells: what `benchmarks.cells` measured of each, and what the stored results of tasks say that it learns."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.comparing import summary
from pipelines.comparing.summary import NONE
from pipelines.documenting.tables import StoredResults
from rnn_lightning.files import read_json


def cost_table(file: Path) -> str:
    """A Markdown table with a line for each cell of a measurement: source, state, parameters, and cost at each shape.

    Raises:
        ValueError: where there is no such measurement.
    """
    if not file.exists():
        raise ValueError(f"a page shows the cells of {file.name}, which does not exist: python -m benchmarks.cells writes it")
    rows = read_json(file)["cells"]
    width, shapes = rows[0]["width"], rows[0]["costs"]
    heading = ["`cell`", "name", "source", f"state, H = {width}", f"parameters, F = H = {width}"]
    heading += [f"cost at {each['steps']} steps, {each['rows']} rows, H = {each['units']}" for each in shapes]
    lines = [
        [
            *(f"`{row['cell']}`", row["label"], row["source"] or NONE, f"{row['state']:,}", f"{row['parameters']:,}"),
            *(f"{each['cost']:.2f}" for each in row["costs"]),
        ]
        for row in rows
    ]
    return summary.as_markdown([heading, *lines])


def learned_table(stored: StoredResults, names: Sequence[str]) -> str:
    """A Markdown table with a line for each architecture that has stored results of one of the tasks ``names``: the metric of
    each, with its interval; of several configurations of an architecture the best."""
    columns = [_column(stored, name) for name in names]
    labels = sorted({label for _, column in columns for label in column})
    heading = ["architecture", *(title for title, _ in columns)]
    return summary.as_markdown([heading, *([label, *(column.get(label, NONE) for _, column in columns)] for label in labels)])


def _column(stored: StoredResults, name: str) -> tuple[str, dict[str, str]]:
    """The heading of a task's column, and the score of each architecture, by its name."""
    task, rows = stored.task(name), stored.rows(name)
    metric = task.metric.name
    digits = summary.digits_of([row.spread(metric) for row in rows])
    best = {row.runs[0].label: row for row in reversed(rows)}  # the best of a name is the last one that is put there
    floors = [f"{reference.name}: {reference.value:g}" for reference in task.references]
    title = f"{task.title}, {metric.removeprefix('test/')}" + (f" ({'; '.join(floors)})" if floors else "")
    return title, {label: row.spread(metric).shown(digits) for label, row in best.items()}
