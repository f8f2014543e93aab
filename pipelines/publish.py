"""Publish: what is in run folders, to the dashboard; what it shows already stays as it is.

A stage that DVC restores from its cache does not run, so it shows nothing: this does it afterwards.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import report, tracking
from pipelines.report import Section
from pipelines.runs import Run, folder_of, read_json, read_points, read_runs
from pipelines.summary import duration, number, short
from pipelines.tasks import Task, read_card, read_task


def publish(runs: Path, *, conf: Path, data: Path) -> int:
    """Fill the dashboard from every finished run in ``runs``; returns how many there are."""
    published = 0
    for name in sorted(path.name for path in runs.glob("*") if path.is_dir()):
        card = read_card(data, name)
        task = read_task(conf, name, card)
        describe_task(task)
        for run in read_runs(runs, name)[0]:
            publish_run(folder_of(runs, name, run.rnn, run.seed), run, task, card)
            published += 1
    return published


def describe_task(task: Task) -> str:
    """Make the task's experiment, or renew its description; returns its id."""
    held = "".join(f"\n- {each.name}: {number(each.value)} ({each.source})" for each in task.references)
    note = f"## {task.title}\n\n{task.description}\n\nJudged by `{task.metric}`, to {task.goal}.\n{held}"
    return tracking.open_experiment(task.name, {"mlflow.note.content": note, "title": task.title})


def publish_run(folder: Path, run: Run, task: Task, card: dict[str, Any]) -> str:
    """Show one finished run; returns the id of its MLflow run."""
    run_id = tracking.start_run(
        folder,
        experiment=task.name,
        name=f"{run.rnn} seed {run.seed}",
        config=run.config,
        tags=run_tags(task.name, run.plain() | {"dvc_lock": read_json(folder / "training.json").get("dvc_lock")}),
        description=describe(run, task),
    )
    training = read_json(folder / "training.json")
    with tracking.recording(run_id):
        tracking.log_curves(run_id, read_points(folder))
        tracking.log_training(run_id, training)
        tracking.log_metrics(run_id, run.metrics, step=training["best_step"])
        if card:
            tracking.log_data(run_id, card)
    return run_id


def run_tags(task: str, values: dict[str, Any]) -> dict[str, str]:
    """The tags by which the dashboard's table is searched and grouped, from what ``training.json`` holds."""
    names = ("rnn", "seed", "label", "hardware", "threads", "precision", "backend", "commit", "dvc_lock", "data")
    return {"task": task} | {name: str(values[name]) for name in names if values.get(name) is not None}


def describe(run: Run, task: Task) -> str:
    """Markdown for the top of the run's page."""
    scores = "\n".join(f"| {name} | {number(value)} |" for name, value in sorted(run.metrics.items()))
    cost = f"{short(run.parameters)} parameters, {duration(run.seconds)} on {run.hardware}"
    how = f"{run.threads} threads, {run.precision}"
    table = f"| metric | value |\n|:--|--:|\n{scores}"
    return f"**{run.label}** on {task.title}: {cost} ({how}).\n\n{table}\n\nAgain: `{run.command}`"


def publish_comparison(out: Path, sections: Sequence[Section], pages: Sequence[Path]) -> None:
    """Show the comparison as one run, with a metric for each task and architecture, and its files."""
    tags = {"data": " ".join(sorted({run.data for section in sections for run in section.runs}))}
    note = report.markdown(sections, with_figures=False)
    tracking.open_experiment("comparison", {"mlflow.note.content": "Architectures side by side, over all their seeds."})
    run_id = tracking.start_run(out, experiment="comparison", name="comparison", config={}, tags=tags, description=note)
    with tracking.recording(run_id):
        for section in sections:
            group = f"{section.task.name} {section.task.metric.replace('/', ' ')}"
            means = {f"{group}/{metric_name(row.label)}": row.spread(section.task.metric).mean for row in section.rows}
            tracking.log_metrics(run_id, means)
            tracking.log_files(run_id, section.figures, "figures")
        tracking.log_files(run_id, pages)


def metric_name(label: str) -> str:
    """``label`` without what MLflow does not take in a metric's name."""
    return re.sub(r"[^\w. -]", "", label)


if __name__ == "__main__":
    shown = publish(Path("runs"), conf=Path("conf"), data=Path("data"))
    print(f"{shown} runs are in the dashboard. Next: `make dashboard`", file=sys.stderr)
