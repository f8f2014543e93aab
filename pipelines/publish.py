"""Publish: what is in run folders, to the dashboard; what it shows already stays as it is.

A stage that DVC restores from its cache does not run, so it shows nothing: this does it afterwards.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import tracking
from pipelines.comparing import report
from pipelines.comparing.report import CrossTaskSummary, Section
from pipelines.display.numbers import duration, number, short
from pipelines.runs.folders import Run, folder_of, read_points, read_runs
from pipelines.runs.provenance import run_tags
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.tasks import Task, read_card, read_task
from rnn_lightning.files import read_json
from rnn_lightning.predictors import CHECKPOINT, DESCRIPTION, load_predictor, read_description


def publish(runs: Path, *, conf: Path, data: Path) -> int:
    """Fill the dashboard from every finished run in ``runs``; returns how many there are."""
    published = 0
    for name in sorted(path.name for path in runs.glob("*") if path.is_dir()):
        card = read_card(data, name)
        task = read_task(conf, name, card)
        tracking.describe_task(task)
        for run in read_runs(runs, name)[0]:
            publish_run(folder_of(runs, name, run.rnn, run.seed), run, task, card)
            published += 1
    return published


def publish_run(folder: Path, run: Run, task: Task, card: dict[str, Any]) -> str:
    """Show one finished run; returns the id of its MLflow run."""
    training = read_json(folder / "training.json")
    run_id = tracking.start_run(
        folder,
        experiment=task.name,
        name=f"{run.rnn} seed {run.seed}",
        config=run.config,
        tags=run_tags(task.name, training),
        description=describe(run, task),
    )
    with tracking.recording(run_id, seconds=training["seconds"]):  # not until whenever it was published last
        tracking.log_curves(run_id, read_points(folder))
        tracking.log_training(run_id, training)
        tracking.log_metrics(run_id, run.metrics)
        if card:
            tracking.log_data(run_id, card)
        tracking.log_files(run_id, sorted([*folder.glob("*.png"), *folder.glob("*.md")]), "figures")
    return run_id


def publish_model(run_id: str, folder: Path, registered_name: str | None = None) -> str:
    """Store the predictor of an evaluated run's ``folder`` so that it can be served; returns its URI.

    With ``registered_name`` it is also the newest version of that name in the model registry.
    """
    files = {name: folder / name for name in (CHECKPOINT, DESCRIPTION, *read_description(folder)["files"])}
    return tracking.log_model(
        run_id,
        served=Path(tracking.__file__).with_name("served.py"),
        files=files,
        packages=load_predictor(folder).inputs.packages,
        registered_name=registered_name,
    )


def describe(run: Run, task: Task) -> str:
    """Markdown for the top of the run's page."""
    scores = "\n".join(f"| {name} | {number(value)} |" for name, value in sorted(run.metrics.items()))
    cost = f"{short(run.parameters)} parameters, {duration(run.seconds)} on {run.hardware}"
    how = f"{run.threads} {'thread' if run.threads == 1 else 'threads'}, {run.precision}"
    table = f"| metric | value |\n|:--|--:|\n{scores}"
    return f"**{run.label}** on {task.title}: {cost} ({how}).\n\n{table}\n\nAgain: `{run.command}`"


def publish_comparison(
    out: Path, sections: Sequence[Section], together: Sequence[CrossTaskSummary], pages: Sequence[Path]
) -> None:
    """Show the report as one run, and beside it each architecture as a run of its own, so that charts set them side by side."""
    tracking.open_experiment("comparison", {"mlflow.note.content": "Architectures side by side, over all their seeds."})
    tags = {"data": " ".join(sorted({run.data for section in sections for run in section.runs}))}
    note = report.markdown(sections, together, with_figures=False)
    run_id = tracking.start_run(out, experiment="comparison", name="report", config={}, tags=tags, description=note)
    with tracking.recording(run_id):
        tracking.log_files(run_id, pages)
        drawn = [figure for section in sections for figure in section.figures]
        tracking.log_files(run_id, [*drawn, *(each.figure for each in together)], "figures")
    for label, values in means_by_architecture(sections).items():
        run_id = tracking.start_run(out / label, experiment="comparison", name=label, config={}, tags=tags)
        with tracking.recording(run_id):
            tracking.log_metrics(run_id, values)


def means_by_architecture(sections: Sequence[Section]) -> dict[str, dict[str, float]]:
    """By label, the means over seeds: the name of each begins with its task, by which the dashboard groups."""
    means: dict[str, dict[str, float]] = {}
    for section in sections:
        for row in section.rows:
            costs = {name: row.mean(name) for name in ("parameters", "seconds", "units_per_second", "peak_memory_mb")}
            scores = {name.replace("/", " "): row.spread(name).mean for name in row.runs[0].metrics}
            named = {f"{section.task.name}/{name}": value for name, value in (scores | costs).items()}
            means[row.label] = means.get(row.label, {}) | named
    return means


def main() -> None:
    shown = publish(Path("runs"), conf=Path("conf"), data=Path("data"))
    print(f"{shown} runs are in the dashboard. Next: `make dashboard`", file=sys.stderr)


if __name__ == "__main__":
    exit_on_user_error(main)
