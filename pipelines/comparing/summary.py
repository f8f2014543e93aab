"""Runs over several seeds as one row each, and rows as tables: in Markdown, in plain text, in cells for a web page."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pipelines.display.numbers import decimals, duration, number, short
from pipelines.runs.configurations import SHOWN, distinguishing, identity
from pipelines.runs.folders import Run
from pipelines.runs.partners import architecture
from pipelines.settings.tasks import Task

CONFIDENCE = 0.95
SHARES = {"accuracy", "f1", "precision", "recall"}
AMOUNTS = {"cer", "wer", "per", "mse", "mae", "rmse", "mase", "perplexity", "bleu", "chrf"}
"""Words in the names of metrics that are shares, and of those that are never negative."""
NONE = "\N{EN DASH}"
Cells = list[list[str]]
"""Rows of a table as it is read, the heading first."""


class Spread(NamedTuple):
    """A mean and the half width of its 95% interval (Student's t over seeds); ``None`` where there is one value.

    The interval goes from ``low`` to ``high``: by the half width on both sides, but not below ``least`` or above ``most``,
    where the metric itself ends.
    """

    mean: float
    half: float | None
    least: float | None = None
    most: float | None = None

    @property
    def low(self) -> float:
        low = self.mean - (self.half or 0.0)
        return low if self.least is None else max(low, self.least)

    @property
    def high(self) -> float:
        high = self.mean + (self.half or 0.0)
        return high if self.most is None else min(high, self.most)

    @property
    def sides(self) -> list[list[float]] | None:
        """How far the interval goes below and above the mean, as Matplotlib has it."""
        return None if self.half is None else [[self.mean - self.low], [self.high - self.mean]]

    def shown(self, digits: int) -> str:
        if self.half is not None and (self.low, self.high) != (self.mean - self.half, self.mean + self.half):
            return f"{self.mean:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"
        return f"{self.mean:.{digits}f} ± {NONE if self.half is None else f'{self.half:.{digits}f}'}"


def spread(values: Sequence[float], least: float | None = None, most: float | None = None) -> Spread:
    """The mean of ``values``, which go from ``least`` to ``most``, and how far it can be trusted."""
    if len(values) < 2:
        return Spread(values[0], None, least, most)
    half = _quantile(len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return Spread(statistics.fmean(values), half, least, most)


@cache
def _quantile(freedom: int) -> float:
    """Of Student's t, for intervals of `CONFIDENCE`."""
    from scipy.stats import t as student

    return float(student.ppf((1 + CONFIDENCE) / 2, freedom))


def bounds(metric: str) -> tuple[float | None, float | None]:
    """Between which values the metric lies whatever a model does: a share from 0 to 1, a rate of errors from 0."""
    words = set(re.split(r"[/_\W]+", metric))
    return (0.0, 1.0) if words & SHARES else (0.0, None) if words & AMOUNTS else (None, None)


@dataclass(frozen=True)
class Row:
    """One architecture in one configuration, over its seeds."""

    label: str
    runs: Sequence[Run]
    task: Task

    @property
    def rnn(self) -> str:
        return architecture(self.runs[0])

    @property
    def metrics(self) -> list[str]:
        """The names of what was measured of any of the runs."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics))

    def spread(self, metric: str) -> Spread:
        """Over the runs of which the metric could be measured."""
        return spread([run.metrics[metric] for run in self.runs if metric in run.metrics], *bounds(metric))

    def mean(self, field: str) -> float:
        return statistics.fmean(getattr(run, field) for run in self.runs)


def rows(runs: Sequence[Run], task: Task) -> list[Row]:
    """The runs by architecture and configuration, the best mean of the task's metric first.

    Raises:
        ValueError: if a run does not have the metric.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if task.metric.name not in run.metrics:
            raise ValueError(f"{task.name} {run.rnn} seed {run.seed} has no {task.metric.name}, only {sorted(run.metrics)}")
        groups.setdefault(f"{run.rnn} {identity(run.config)} {run.data}", []).append(run)
    labels = [_label(group[0], runs, task) for group in groups.values()]
    if len(set(labels)) < len(labels):
        labels = [_label(group[0], runs, task, shown=None) for group in groups.values()]
    made = [
        Row(label, sorted(group, key=lambda run: run.seed), task) for label, group in zip(labels, groups.values(), strict=True)
    ]
    return in_order(made, task)


def in_order(made: Sequence[Row], task: Task) -> list[Row]:
    """The best mean of the task's metric first."""
    return sorted(made, key=lambda row: task.metric.sort_key(row.spread(task.metric.name).mean))


def _label(run: Run, runs: Sequence[Run], task: Task, *, shown: int | None = SHOWN) -> str:
    """The architecture's name, and the variant's; of one in several configurations, with the values that tell it apart."""
    name = f"{run.label}, {task.variant.name}" if task.variant else run.label
    values = distinguishing(run, runs, shown)
    return f"{name} ({', '.join(values)})" if values else name


def table(made: Sequence[Row], task: Task) -> Cells:
    """Quality and cost of each row; the task's metric with its interval, the other metrics as means."""
    metric = task.metric.name
    others = sorted({name for row in made for name in row.metrics} - {metric})
    heading = ["architecture", f"{metric} (95%)", *others, "seeds", "parameters", "training", f"{task.unit}/s", "memory"]
    digits = digits_of([row.spread(metric) for row in made])
    scores = [row.spread(metric).shown(digits) for row in made]
    return [
        heading,
        *([row.label, score, *_means(row, others), *_cost(row)] for row, score in zip(made, scores, strict=True)),
    ]


def digits_of(spreads: Sequence[Spread]) -> int:
    """Decimals of a column: two digits of a typical interval, or four of a typical mean where there is no interval."""
    halves = [each.half for each in spreads if each.half]
    if halves:
        return max(decimals(statistics.median(halves)), 0)
    return min(max(decimals(statistics.median(each.mean for each in spreads)) + 2, 0), 5) if spreads else 0


def _means(row: Row, metrics: Sequence[str]) -> list[str]:
    known = row.metrics
    return [number(row.spread(name).mean) if name in known else "" for name in metrics]


def _cost(row: Row) -> list[str]:
    return [
        str(len(row.runs)),
        short(row.mean("parameters")),
        duration(row.mean("seconds")),
        short(row.mean("units_per_second")),
        f"{row.mean('peak_memory_mb'):,.0f} MB",
    ]


def references_table(task: Task) -> Cells:
    return [
        ["reference", task.metric.name, "source"],
        *([each.name, number(each.value), each.source] for each in task.references),
    ]


def numeric(cells: Cells) -> list[bool]:
    """For each column, whether it holds numbers, which are set to the right."""
    _, *body = cells
    return [all(row[at] == "" or row[at][0] in f"-0123456789<{NONE}" for row in body) for at in range(len(cells[0]))]


def as_markdown(cells: Cells) -> str:
    """A Markdown table."""
    heading, *body = cells
    rule = ["--:" if right else ":--" for right in numeric(cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heading, rule, *body])


def as_text(cells: Cells) -> str:
    """Columns of plain text for a terminal."""
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    columns = list(zip(widths, numeric(cells), strict=True))

    def line(row: list[str]) -> str:
        pairs = zip(row, columns, strict=True)
        return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, (width, right) in pairs).rstrip()

    heading, *body = cells
    return "\n".join([line(heading), "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * len(line(heading)), *map(line, body)])
