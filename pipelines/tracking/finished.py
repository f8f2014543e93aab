"""A finished run in the dashboard: its page, and its model in a form that can be served."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pipelines import tracking
from pipelines.display.numbers import duration, number, short
from pipelines.runs.folders import Run, read_points
from pipelines.runs.provenance import run_tags
from pipelines.settings.tasks import Task
from pipelines.tracking.examples import example_of
from pipelines.tracking.record import Registration
from pipelines.tracking.servable import Servable
from rnn_lightning.files import read_json
from rnn_lightning.items.folders import check_alone, partners_in, read_description
from rnn_lightning.predictors import Predictor, files_of, is_shared, load_predictor

SERVED = Path(__file__).with_name("served.py")
FILES: dict[str | None, tuple[str, ...]] = {
    None: ("metrics.json", "training.json", "search.json", "curves.csv"),
    "figures": ("*.png", "*.md"),
    "predictions": ("*.txt", "*.csv.gz"),
}
"""By folder in the dashboard, files of a run."""
TYPES = {int: "long", float: "double", bool: "boolean", str: "string"}
"""Types of options of a predictor, and MLflow's names of them."""
OF_SERVER = ("folder", "batch_size", "weights")
"""Options of a predictor that no request gives."""


def publish_run(folder: Path, run: Run, task: Task, card: dict[str, Any]) -> str:
    """Show one finished run; returns what it is called."""
    training = read_json(folder / "training.json")
    run_id = tracking.start_run(
        folder,
        experiment=task.name,
        name=f"{run.folder_name} seed {run.seed}",
        config=run.config,
        tags=run_tags(task.name, training),
        description=describe(run, task),
        about=tracking.task_tags(task),
    )
    with tracking.recording(run_id, seconds=training["seconds"]):  # not until whenever it was published last
        tracking.log_curves(run_id, read_points(folder))
        tracking.log_training(run_id, training)
        tracking.log_metrics(run_id, run.metrics)
        if card:
            tracking.log_data(run_id, card)
        log_results(run_id, folder)
        tracking.log_config(run_id, run.config)
    return run_id


def log_results(run_id: str, folder: Path) -> None:
    """Attach the files of results in ``folder``: what was measured, curves, figures and tables, predictions."""
    for place, patterns in FILES.items():
        tracking.log_files(run_id, sorted(file for pattern in patterns for file in folder.glob(pattern)), place)


def publish_measured(folder: Path, run_folder: Path, run: Run) -> None:
    """Show the measurement in ``folder`` of a run on another corpus as a run of its own, tagged with that corpus."""
    training, card = read_json(run_folder / "training.json"), read_json(folder / "card.json")
    task, on = training["task"], folder.name
    data = {"on": on, "data": card["sha256"]["all"], "learnt_from": run.data}
    metrics = {name: value for name, value in read_json(folder / "metrics.json").items() if value is not None}
    run_id = tracking.start_run(
        folder,
        experiment=task,
        name=f"{run.folder_name} seed {run.seed} on {on}",
        config=run.config,
        tags=run_tags(task, training) | data,
        description=f"**{run.label}** of {task}, measured on the test split of {on} ({card['title']}).",
    )
    with tracking.recording(run_id):
        tracking.log_metrics(run_id, metrics)
        tracking.log_data(run_id, card)
        log_results(run_id, folder)


def publish_model(
    run_id: str, folder: Path, registration: Registration | None = None, *, processed: Path | None = None
) -> None:
    """Store the predictor of an evaluated run's ``folder`` so that it can be served; not that of a run that was tested together
    with others, whose metrics are none of its network alone.

    With a ``registration`` it is also to have a place in the model registry, with its ``processed`` corpus an example of what
    it takes.
    """
    if partners_in(read_description(folder)):
        return
    model = servable(folder)._replace(example=processed and example_of(folder, processed))._asdict()
    tracking.log_model(run_id, **model, registration=registration and registration._asdict())


def servable(folder: Path) -> Servable:
    """The predictor of an evaluated run's ``folder``.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where a file is damaged, or the run was tested together with others.
    """
    check_alone(folder)
    files = {name: folder / name for name in files_of(folder)}
    predictor = load_predictor(folder)
    packages = [*predictor.inputs.packages, *(["safetensors"] if is_shared(folder) else [])]
    return Servable(SERVED, files, packages, list(parameters_of(type(predictor))))


def parameters_of(predictor: type[Predictor[Any]]) -> Iterator[dict[str, Any]]:
    """The options of a class of predictors that a request may give: name, MLflow's type, default (``None``: as in the run)."""
    types = get_type_hints(predictor.load)
    for name, each in inspect.signature(predictor.load).parameters.items():
        first, *_ = [kind for kind in get_args(types[name]) or (types[name],) if kind is not NoneType]
        kind = str if get_origin(types[name]) is Literal else first
        if name not in OF_SERVER and kind in TYPES:
            yield {"name": name, "type": TYPES[kind], "default": each.default}


def describe(run: Run, task: Task) -> str:
    """Markdown for the top of the run's page."""
    scores = "\n".join(f"| {name} | {number(value)} |" for name, value in sorted(run.metrics.items()))
    cost = f"{short(run.parameters)} parameters, {duration(run.seconds)} on {run.hardware}"
    how = f"{run.threads} {'thread' if run.threads == 1 else 'threads'}, {run.precision}"
    how += f"; weights: {run.averaging}" if run.averaging else ""
    how += f"; computed in: {run.computed_in}" if run.computed_in else ""
    table = f"| metric | value |\n|:--|--:|\n{scores}"
    return f"**{run.label}** on {task.title}: {cost} ({how}).\n\n{table}\n\nAgain: `{run.command}`"
