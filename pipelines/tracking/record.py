"""What a run leaves in the dashboard: curves, single values, data, files, the model."""

import json
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.tracking.store import ROOT, client

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from pipelines.tracking.logger import Points, RunLogger

SERVING_PACKAGES = ("torch", "lightning", "torchmetrics", "numpy")


def lightning_logger(run_id: str) -> "RunLogger":
    """A logger for the ``Trainer``; the points of steps that the run has already are not sent twice."""
    from pipelines.tracking.logger import RunLogger

    return RunLogger(run_id, lambda points: log_curves(run_id, points))


def log_curves(run_id: str, points: "Points") -> None:
    """Add the points (metric, step, value) that the run does not have; what it has stays as it is."""
    stored = _stored(run_id, {key for key, _, _ in points})
    _log_points(run_id, [point for point in points if point[:2] not in stored])


def log_metrics(run_id: str, metrics: Mapping[str, float]) -> None:
    """Set single values; one that is there already is not added again.

    They belong to step 0, which the dashboard draws as bars; at any other step it would draw a curve of one point.
    """
    stored = _stored(run_id, set(metrics))
    _log_points(run_id, [(key, 0, value) for key, value in metrics.items() if stored.get((key, 0)) != value])


def _stored(run_id: str, keys: set[str]) -> dict[tuple[str, int], float]:
    known = keys & set(client().get_run(run_id).data.metrics)
    return {(key, each.step): each.value for key in known for each in client().get_metric_history(run_id, key)}


def _log_points(run_id: str, points: "Points") -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, step) for key, step, value in points]
    for begin in range(0, len(metrics), 1000):  # MLflow's limit of metrics in one call
        client().log_batch(run_id, metrics=metrics[begin : begin + 1000])


def log_training(run_id: str, training: Mapping[str, Any]) -> None:
    """What the training cost, and how good its best step was: from ``training.json``."""
    used = {
        "used/parameters": training["parameters"],
        "used/training_seconds": training["seconds"],
        f"used/{training['unit']}_per_second": training["units_per_second"],
        "used/peak_memory_mb": training["peak_memory_mb"],
    }
    log_metrics(run_id, used | {"val/best": training["best_value"]})


def log_data(run_id: str, card: Mapping[str, Any]) -> None:
    """The corpus as an MLflow data set input: its card's title, hash, source and sizes."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps({key: card[key] for key in ("splits", "licence", "references") if key in card})
    source = json.dumps(card.get("source") or {})
    data = Dataset(card["title"], card["sha256"]["all"][:16], "corpus", source, profile=profile)
    client().log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])


def log_files(run_id: str, files: Iterable[Path], folder: str | None = None) -> None:
    """Attach files to the run, under ``folder`` if named."""
    for file in files:
        client().log_artifact(run_id, str(file), folder)


def log_model(
    run_id: str,
    *,
    served: Path,
    files: Mapping[str, Path],
    packages: Iterable[str] = (),
    registered_name: str | None = None,
) -> str:
    """Store the model so that ``mlflow models serve`` can run it without this project; returns its URI.

    The single values that the run has by now become the model's own.

    Args:
        served: the Python file that answers requests (``mlflow.models.set_model`` in it), not a pickle; its type hints
            say what it takes.
        files: what that file loads, by name; all of them lie in one folder.
        packages: what it needs besides the packages of the library.
        registered_name: also make it the newest version of this name in the model registry.
    """
    experiment = client().get_run(run_id).info.experiment_id
    _forget_models(experiment, run_id)
    from mlflow import pyfunc, set_experiment
    from mlflow.models import Model

    set_experiment(experiment_id=experiment)  # without it the model goes to "Default", whatever run_id says
    logged = Model.log(
        artifact_path=None,
        name="model",
        flavor=pyfunc,
        run_id=run_id,
        python_model=str(served),
        artifacts={key: str(path) for key, path in files.items()},
        code_paths=[str(ROOT / "src" / "rnn_lightning")],
        # Left to itself MLflow finds the packages by loading the model in another process, which takes ten seconds.
        pip_requirements=[f"{package}=={version(package).split('+')[0]}" for package in (*SERVING_PACKAGES, *packages)],
        registered_model_name=registered_name,
    )
    return logged.model_uri


def name_newest(registered_name: str, alias: str, tags: Mapping[str, str]) -> None:
    """Let ``alias`` name the newest version of a registered model, and no other; the version carries the ``tags``."""
    newest = _newest(registered_name)
    assert newest is not None
    for key, value in tags.items():
        client().set_model_version_tag(registered_name, newest.version, key, value)
    client().set_registered_model_alias(registered_name, alias, newest.version)


def tags_of_alias(registered_name: str, alias: str) -> dict[str, str] | None:
    """The tags of the version that ``alias`` names, and its run's id as ``run``; ``None`` where it names none."""
    versions = client().search_model_versions(f"name = '{registered_name}'")
    named = [version for version in versions if alias in _version(registered_name, version.version).aliases]
    return {**named[0].tags, "run": str(named[0].run_id)} if named else None


def _version(registered_name: str, version: str) -> "ModelVersion":
    return client().get_model_version(registered_name, version)  # a search leaves aliases out


def is_newest(registered_name: str, run_id: str) -> bool:
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
