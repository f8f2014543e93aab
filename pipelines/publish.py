"""Publish: what is in run folders, to the dashboard; what it shows already stays as it is.

A stage that DVC restores from its cache does not run, so it shows nothing: this does it afterwards.
"""

import sys
from pathlib import Path
from typing import Any

from pipelines import tracking
from pipelines.display.numbers import duration, number, short
from pipelines.kinds.lines import SEARCH
from pipelines.runs.folders import Run, folder_of, read_points, read_runs
from pipelines.runs.provenance import run_tags
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.tasks import Task, read_card, task_of_runs
from rnn_lightning.corpora.lexicon import LEXICON
from rnn_lightning.files import read_json


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


def publish_model(run_id: str, folder: Path, processed: Path, registered_name: str | None = None) -> str | None:
    """Store the run's network so that it can be served: text to text or to classes with a tokenizer or a lexicon, else numbers
    to numbers.

    A model of tokens that stand for no text (copying) has nothing to serve: ``None``, else the model's URI. With
    ``registered_name`` it is also the newest version of that name in the model registry.
    """
    model, tokenizer = read_json(folder / "training.json")["config"]["task"]["model"], processed / "tokenizer.json"
    card = read_json(processed / "card.json")
    files = {"checkpoint": folder / "model.ckpt"}
    shapes = None
    if (target := processed / "target_tokenizer.json").exists():
        served, files = "translations", files | {"tokenizer": tokenizer, "target_tokenizer": target, "search": folder / SEARCH}
    elif (lexicon := processed / LEXICON).exists():
        served, files = "tags", files | {"lexicon": lexicon}
    elif tokenizer.exists() and "num_classes" in card:
        served, files = "classes", files | {"tokenizer": tokenizer}
    elif tokenizer.exists():
        served, files = "text", files | {"tokenizer": tokenizer}
    elif "input_size" in model or "num_classes" in card:
        served, shapes = "sequences", ((-1, -1, model.get("input_size", card.get("input_size"))), (-1, -1))
    elif "classes" in card or "labels" in card:
        served = "frames" if "classes" in card else "labels"
        shapes = ((-1, -1, card["input_size"]), (-1, -1, -1))
    else:
        return None
    room = Path(tracking.__file__).parent
    return tracking.log_model(
        run_id, served=room / f"served_{served}.py", files=files, shapes=shapes, registered_name=registered_name
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
