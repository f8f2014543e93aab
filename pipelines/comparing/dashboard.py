"""A comparison in the dashboard: the report as one run, and each architecture as another."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import tracking
from pipelines.comparing import report
from pipelines.comparing.sections import CrossTaskSummary, Section
from pipelines.comparing.summary import Row


def publish_comparison(
    out: Path, sections: Sequence[Section], together: Sequence[CrossTaskSummary], pages: Sequence[Path]
) -> None:
    """Show the report as one run, and beside it each architecture as a run of its own, so that charts set them side by side."""
    judged = [f"{section.task.name}/{section.task.metric.name.replace('/', ' ')}" for section in sections]
    about = {"mlflow.note.content": "Architectures side by side, over all their seeds: their means for each task."}
    about |= tracking.runs_shown(judged, sections[0].task.metric.mode) if sections else {}
    tags = {"data": " ".join(sorted({run.data for section in sections for run in section.runs}))}
    note = report.markdown(sections, together, with_figures=False)
    shown: dict[str, Any] = {"experiment": "comparison", "config": {}, "tags": tags, "about": about}
    run_id = tracking.start_run(out, name="report", description=note, **shown)
    with tracking.recording(run_id):
        tracking.log_files(run_id, pages)
        drawn = [figure for section in sections for figure in section.figures]
        drawn += [each.figure for each in together if each.figure.exists()]
        tracking.log_images(run_id, {file.stem.replace("-", "/", 1): file for file in drawn})
    for label, values in means_by_architecture(sections).items():
        run_id = tracking.start_run(out / label, name=label, **shown)
        with tracking.recording(run_id):
            tracking.log_metrics(run_id, values)


def means_by_architecture(sections: Sequence[Section]) -> dict[str, dict[str, float]]:
    """By label, the means over seeds, of the task's metric with the interval: the name of each begins with its task, by which
    the dashboard groups."""
    means: dict[str, dict[str, float]] = {}
    for section in sections:
        for row in section.rows:
            costs = {name: row.mean(name) for name in ("parameters", "seconds", "units_per_second", "peak_memory_mb")}
            scores = {name.replace("/", " "): row.spread(name).mean for name in row.metrics} | interval_of(row)
            named = {f"{section.task.name}/{name}": value for name, value in (scores | costs).items()}
            means[row.label] = means.get(row.label, {}) | named
    return means


def interval_of(row: Row) -> dict[str, float]:
    """The ends of the 95% interval of the task's metric, where there is one."""
    name = row.task.metric.name
    measured, shown = row.spread(name), name.replace("/", " ")
    return {} if measured.half is None else {f"{shown} low": measured.low, f"{shown} high": measured.high}
