"""What a run leaves in the dashboard: curves, single values, data, files, the model."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.settings.tuned import Finding
from pipelines.tracking.names import shown_name
from pipelines.tracking.servable import Servable
from pipelines.tracking.store import client

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow shows as the description."""
FINDING = "finding"
"""The tag of a model version that holds what it was found with, as JSON."""


class Point(NamedTuple):
    """A point of a curve, and when it was logged, in milliseconds."""

    metric: str
    step: int
    value: float
    at: int


class Registration(NamedTuple):
    """A model's place in the registry: its name, the alias that moves to it, and what it was found with (a `Finding`).

    The alias moves only to a better value on the same metric, data and budget, or with ``force``.
    """

    name: str
    alias: str
    finding: dict[str, Any]
    force: bool = False


def log_curves(run_id: str, points: "Sequence[Point]") -> None:
    """Add the points that the run does not have, and each of them once; what it has stays as it is."""
    named = {(shown_name(metric), step): (value, at) for metric, step, value, at in reversed(points)}
    stored = _stored(run_id, {metric for metric, _ in named})
    _log_points(run_id, [Point(*key, *value) for key, value in reversed(named.items()) if key not in stored])


def log_metrics(run_id: str, metrics: Mapping[str, float | None], at: int) -> None:
    """Set single values; one that is there already is not added again, and one that could not be measured is not shown.

    They belong to step 0, which the dashboard draws as bars; at any other step it would draw a curve of one point.
    """
    named = {shown_name(name): value for name, value in metrics.items() if value is not None}
    stored = _stored(run_id, set(named))
    _log_points(run_id, [Point(name, 0, value, at) for name, value in named.items() if stored.get((name, 0)) != value])


def _stored(run_id: str, keys: set[str]) -> dict[tuple[str, int], float]:
    known = keys & set(client().get_run(run_id).data.metrics)
    return {(key, each.step): each.value for key in known for each in client().get_metric_history(run_id, key)}


def _log_points(run_id: str, points: "Sequence[Point]") -> None:
    from mlflow.entities import Metric

    metrics = [Metric(point.metric, point.value, point.at, point.step) for point in points]
    for begin in range(0, len(metrics), 1000):  # MLflow's limit of metrics in one call
        client().log_batch(run_id, metrics=metrics[begin : begin + 1000])


def log_data(run_id: str, card: Mapping[str, Any]) -> None:
    """The corpus as an MLflow data set input: its card's title, hash, source and sizes."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps({key: card[key] for key in ("splits", "licence", "references") if key in card})
    source = json.dumps(card.get("source") or {})
    data = Dataset(card["title"], card["sha256"]["all"][:16], "corpus", source, profile=profile)
    client().log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])


def log_config(run_id: str, config: Mapping[str, Any]) -> None:
    """Attach nested plain values as ``config.yaml``."""
    client().log_dict(run_id, dict(config), "config.yaml")


def log_files(run_id: str, files: Iterable[Path], folder: str | None = None) -> None:
    """Attach files to the run, under ``folder`` if named."""
    for file in files:
        client().log_artifact(run_id, str(file), folder)


def log_images(run_id: str, files: Mapping[str, str]) -> None:
    """Show the pictures that are still there, by name, among the charts; one that the run has already stays as it is."""
    from PIL import Image

    there = {Path(each.path).name.partition("+step+")[0] for each in client().list_artifacts(run_id, "images")}
    for name, file in files.items():
        if name.replace("/", "~") not in there and Path(file).exists():  # MLflow writes a slash of a name so
            with Image.open(file) as picture:
                client().log_image(run_id, picture, key=name, step=0, synchronous=True)


def log_model(
    run_id: str,
    *,
    served: Path,
    files: Mapping[str, Path],
    packages: Iterable[str] = (),
    parameters: Iterable[Mapping[str, Any]] = (),
    example: str | None = None,
    registration: Mapping[str, Any] | None = None,
) -> None:
    """Store the model so that ``mlflow models serve`` can run it without this project.

    The single values that the run has by now become the model's own.

    Args:
        served: the Python file that answers requests (``mlflow.models.set_model`` in it), not a pickle; its type hints
            say what it takes.
        files: what that file loads, by name; all of them lie in one folder.
        packages: what it needs besides the packages of the library.
        parameters: what a request may set: ``name``, ``type`` and ``default`` of each.
        example: an item of a request.
        registration: also make it, unless it is, the newest version of a name in the model registry, if the alias moves to
            it; the fields of a `Registration`.
    """
    model = Servable(served, files, list(packages), list(parameters), example)
    if registration is None:
        return _store_model(run_id, model, None)
    wanted = Registration(**registration)
    if reason := _why_not(wanted, run_id):
        shown = f"{wanted.name}@{wanted.alias} of the model registry"
        return print(f"{shown} stays as it is: {reason} (force=true replaces it)", file=sys.stderr)
    if not _is_newest(wanted.name, run_id):
        _store_model(run_id, model, wanted.name)
    finding = Finding.model_validate(wanted.finding)
    found = f"{finding.metric} {finding.value:.4g}, by `{' '.join(finding.overrides)}`"
    return _name_newest(wanted, client().get_run(run_id).data.tags.get(DESCRIPTION) or found)


def _store_model(run_id: str, model: Servable, registered_name: str | None) -> None:
    run = client().get_run(run_id)
    _forget_models(run.info.experiment_id, run_id)
    from mlflow import set_experiment
    from mlflow.models import Model

    set_experiment(experiment_id=run.info.experiment_id)  # without it the model goes to "Default", whatever run_id says
    known = run.data.tags
    stored = Model.log(
        artifact_path=None,
        name="-".join(known[key] for key in ("task", "rnn") if key in known) or "model",
        flavor=model,
        run_id=run_id,
        registered_model_name=registered_name,
        validate_serving_input=False,
    )
    if stored.model_id and (description := known.get(DESCRIPTION)):  # of tags given to `log`, a registered version makes a show
        client().set_logged_model_tags(stored.model_id, {DESCRIPTION: description})
    _link_data(run, stored.model_id)


def _link_data(run: "Run", model_id: str | None) -> None:
    """Have the model's page name the data sets of its run: MLflow finds them by metrics that are measured on them."""
    from mlflow.entities import Metric

    data = [each.dataset for each in run.inputs.dataset_inputs] if run.inputs else []
    if data and model_id:
        known = {key: value for key, value in run.data.metrics.items() if key.startswith("test/")}
        facts = {"model_id": model_id, "dataset_name": data[0].name, "dataset_digest": data[0].digest}
        now = int(time.time() * 1000)  # at the time of the run, the model has them already, without the data
        metrics = [Metric(key, value, now, 0, **facts) for key, value in known.items()]
        client().log_batch(run.info.run_id, metrics=metrics)


def _name_newest(registration: Registration, description: str) -> None:
    """Let the alias name the newest version of the registered model, and no other; the version carries what was found."""
    name = registration.name
    newest = _newest(name)
    assert newest is not None
    client().update_registered_model(name, description)
    client().update_model_version(name, newest.version, description)
    client().set_model_version_tag(name, newest.version, FINDING, json.dumps(registration.finding))
    client().set_registered_model_alias(name, registration.alias, newest.version)


def _why_not(registration: Registration, run_id: str) -> str:
    """Why the alias does not move to the run's model; empty if it does."""
    named = _aliased(registration.name, registration.alias)
    if named is None or registration.force or named.run_id == run_id:
        return ""
    return Finding.model_validate(registration.finding).why_not(json.loads(named.tags.get(FINDING, "{}")))


def _aliased(name: str, alias: str) -> "ModelVersion | None":
    """The version that ``alias`` names; ``None`` where it names none."""
    versions = [_version(name, version.version) for version in client().search_model_versions(f"name = '{name}'")]
    return next((version for version in versions if alias in version.aliases), None)


def _version(name: str, version: str) -> "ModelVersion":
    return client().get_model_version(name, version)  # a search leaves aliases out


def _is_newest(registered_name: str, run_id: str) -> bool:
    """Whether the newest version of a registered model is the run's."""
    newest = _newest(registered_name)
    return newest is not None and newest.run_id == run_id


def _newest(registered_name: str) -> "ModelVersion | None":
    versions = client().search_model_versions(f"name = '{registered_name}'")
    return max(versions, key=lambda each: int(each.version), default=None)


def _forget_models(experiment: str, run_id: str) -> None:
    """A run has one model: what an earlier evaluation stored is of an earlier network."""
    for model in client().search_logged_models([experiment], f"source_run_id = '{run_id}'"):
        client().delete_logged_model(model.model_id)
