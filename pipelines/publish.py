"""Publish: what is in run folders, to the dashboard; what it shows already stays as it is.

A stage that DVC restores from its cache does not run, so it shows nothing: this does it afterwards.
"""

import sys
from pathlib import Path
from typing import Any

from pipelines import tracking
from pipelines.display.numbers import duration, number, short
from pipelines.runs.folders import Run, folder_of, read_points, read_runs
from pipelines.runs.provenance import run_tags
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.tasks import Task, read_card, task_of_runs
from rnn_lightning.files import read_json
from rnn_lightning.predictors import CHECKPOINT, DESCRIPTION, load_predictor, read_description


def publish(runs: Path, *, conf: Path, data: Path) -> int:
    """Fill the dashboard from every finished run in ``runs``; returns how many there are."""
    published = 0
    for name in sorted(path.name for path in runs.glob("*") if path.is_dir()):
        card, finished = read_card(data, name), read_runs(runs, name)[0]
        task = task_of_runs(conf, name, [run.config for run in finished], card)
        tracking.describe_task(task)
        for run in finished:
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


def main() -> None:
    shown = publish(Path("runs"), conf=Path("conf"), data=Path("data"))
    print(f"{shown} runs are in the dashboard. Next: `make dashboard`", file=sys.stderr)


if __name__ == "__main__":
    exit_on_user_error(main)
