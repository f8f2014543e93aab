"""A comparison as tables of plain values, which DVC shows and compares between commits and experiments.

A file a task: ``reports/scores/NAME/TASK.json`` and ``reports/costs/NAME/TASK.json``, by architecture the mean over seeds of
the task's metric and of the costs; ``reports/curves/NAME/TASK.csv``, the mean validation metric by step, a column an
architecture.
"""

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

from pipelines.comparing.sections import Section
from pipelines.comparing.summary import Row
from pipelines.runs.folders import read_curves
from rnn_lightning.files import whole_folder, write_json

TABLES = ("scores", "costs", "curves")
"""The folders of the tables."""
COSTS = ("seconds", "parameters", "units_per_second", "peak_memory_mb")


def write_tables(sections: Sequence[Section], runs: Path, reports: Path, name: str) -> None:
    """Write scores, costs and curves of the comparison ``name`` of run folders below ``runs``."""
    with ExitStack() as all_or_none:
        scores, costs, curves = (all_or_none.enter_context(whole_folder(reports / table / name)) for table in TABLES)
        for task, rows in by_task(sections).items():
            metric = next(iter(rows.values())).task.metric
            write_json(scores / f"{task}.json", {rnn: _short(row.spread(metric.name).mean) for rnn, row in rows.items()})
            spent = {rnn: {cost: _short(row.mean(cost)) for cost in COSTS} for rnn, row in rows.items()}
            write_json(costs / f"{task}.json", spent)
            write_curves({rnn: mean_curve(row, runs, metric.monitor) for rnn, row in rows.items()}, curves / f"{task}.csv")


def by_task(sections: Sequence[Section]) -> dict[str, dict[str, Row]]:
    """By task, variants as tasks of their own, and by architecture, its row; of several configurations the best one's."""
    tasks: dict[str, dict[str, Row]] = {}
    for row in (row for section in sections for row in section.rows):
        tasks.setdefault(row.task.name, {}).setdefault(row.rnn, row)
    return {task: dict(sorted(rows.items())) for task, rows in tasks.items()}


def mean_curve(row: Row, runs: Path, metric: str) -> dict[int, float]:
    """By step, the mean over the row's seeds of a metric, where all seeds have a point."""
    folders = [runs / row.task.name / run.folder_name / str(run.seed) for run in row.runs]
    curves = [dict(read_curves(folder, [metric]).get(metric, ())) for folder in folders]
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    return {step: fmean(curve[step] for curve in curves) for step in steps}


def write_curves(curves: Mapping[str, Mapping[int, float]], file: Path) -> None:
    """Write curves as columns; a cell is empty where an architecture has no point at the step."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["step", *curves])
        for step in sorted({step for curve in curves.values() for step in curve}):
            writer.writerow([step, *(_short(curve[step]) if step in curve else "" for curve in curves.values())])


def _short(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")
