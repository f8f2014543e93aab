"""What the stages tell the dashboard: written down at once, delivered when it answers, never waited for long.

A run is called ``PLACE-FINGERPRINT`` here: its folder on this machine, and what decides its numbers.
"""

import hashlib
import json
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.runs.processes import start_time
from pipelines.settings.environment import user_name
from pipelines.settings.nested import flatten
from pipelines.tracking.courier import flush, note, show

if TYPE_CHECKING:
    from pipelines.tracking.logger import RunLogger

Points = list[tuple[str, int, float]]
"""Metric, step, value."""
SHOWN = {"train/running_loss": "train/loss"}
"""Metrics that the dashboard has by another name: of a loss over few steps and over many, it shows the first."""


def start_run(
    folder: Path,
    *,
    experiment: str,
    name: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    description: str = "",
    about: Mapping[str, str] | None = None,
    parent: str | None = None,
) -> str:
    """Begin, or go on with, the run of ``folder``; returns what it is called.

    Args:
        folder: what the run writes to; it names the run's place.
        experiment: the task, as a rule; made if need be.
        name: what people call the run: ``lstm seed 1``.
        config: all settings of the run, nested plain values; logged as parameters such as ``trainer.max_steps``.
        tags: what else is known before it starts; ``data`` and ``commit`` are part of the fingerprint.
        description: markdown for the run's page.
        about: tags of the experiment; ``mlflow.note.content`` is shown as its description.
        parent: the run under which this one is shown.
    """
    parameters = {key: str(value)[:500] for key, value in flatten(config).items()}
    identity = _identity(folder, parameters, tags)
    run = f"{identity['place']}-{identity['fingerprint']}"
    all_tags = _process_tags() | dict(tags) | identity | {"mlflow.note.content": description}
    begun = {"experiment": experiment, "about": dict(about or {}), "name": name, "parameters": parameters}
    note(run, "begin", {**begun, "tags": all_tags, "parent": parent})
    show()
    return run


def _identity(folder: Path, parameters: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that tell whether a run is the same: its place, and the fingerprint of what decides its numbers."""
    commit = tags.get("commit", "")
    return {
        "folder": str(folder),
        "place": digest([socket.gethostname(), str(folder.resolve())]),
        "fingerprint": digest([parameters, tags.get("data"), tags.get("commit")]),
        "mlflow.source.git.commit": commit,
    }


def digest(value: Any) -> str:
    """The first characters of a hash of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _process_tags() -> dict[str, str]:
    """Who is at work: enough to tell a run that is alive from one whose process was killed."""
    stage = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem
    return {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "pid_born": str(start_time(os.getpid())),
        "stage": stage,
        "mlflow.user": user_name(),
        "mlflow.source.name": stage,
    }


def finish(run: str, status: str = "FINISHED", *, seconds: float | None = None) -> None:
    """End the run as ``FINISHED``, ``FAILED`` or ``KILLED``: now, or as if it had lasted so many ``seconds``."""
    note(run, "finish", {"status": status, "seconds": seconds})


@contextmanager
def recording(run: str, *, seconds: float | None = None) -> Iterator[None]:
    """Whatever happens inside, the run does not stay RUNNING: an error makes it FAILED, an interruption KILLED.

    ``seconds`` are the run's, as for `finish`.
    """
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        finish(run, status, seconds=seconds)
        flush()


def lightning_logger(run: str) -> "RunLogger":
    """A logger for the ``Trainer``; the points of steps that the run has already are not shown twice."""
    from pipelines.tracking.logger import RunLogger

    return RunLogger(run)


def set_tags(run: str, tags: Mapping[str, str]) -> None:
    """Set or replace tags; ``mlflow.note.content`` is the description on the run's page."""
    note(run, "set_tags", {"tags": dict(tags)})


def log_curves(run: str, points: Sequence[tuple[str, int, float]]) -> None:
    """Add the points (metric, step, value) that the run does not have; what it has stays as it is."""
    note(run, "log_curves", {"points": [(SHOWN.get(metric, metric), step, value) for metric, step, value in points]})


def log_metrics(run: str, metrics: Mapping[str, float | None]) -> None:
    """Set single values; one that is there already is not added again, and one that could not be measured is not shown."""
    note(run, "log_metrics", {"metrics": dict(metrics)})


def log_training(run: str, training: Mapping[str, Any]) -> None:
    """What the training cost, and how good its best step was: from ``training.json``."""
    used = {
        "used/parameters": training["parameters"],
        "used/training_seconds": training["seconds"],
        f"used/{training['unit']}_per_second": training["units_per_second"],
        "used/peak_memory_mb": training["peak_memory_mb"],
    }
    log_metrics(run, used | {"val/best": training["best_value"]})


def log_data(run: str, card: Mapping[str, Any]) -> None:
    """The corpus as a data set of the run: its card's title, hash, source and sizes."""
    note(run, "log_data", {"card": dict(card)})


def log_config(run: str, config: Mapping[str, Any]) -> None:
    """Attach the settings of the run as they were composed, ``config.yaml``."""
    note(run, "log_config", {"config": dict(config)})


def log_files(run: str, files: Iterable[Path], folder: str | None = None) -> None:
    """Attach files to the run, under ``folder`` if named; they are read when they are delivered."""
    note(run, "log_files", {"files": [str(file.absolute()) for file in files], "folder": folder})


def log_images(run: str, files: Mapping[str, Path]) -> None:
    """Show pictures among the charts of the run, by name; what is before a slash groups them."""
    note(run, "log_images", {"files": {name: str(file.absolute()) for name, file in files.items()}})


def log_model(
    run: str,
    *,
    served: Path,
    files: Mapping[str, Path],
    packages: Iterable[str] = (),
    parameters: Iterable[Mapping[str, Any]] = (),
    example: str | None = None,
    registration: Mapping[str, Any] | None = None,
) -> None:
    """Store a model that can be served; the arguments are those of `pipelines.tracking.record.log_model`."""
    paths = {name: str(path.absolute()) for name, path in files.items()}
    stored = {"served": str(served.absolute()), "files": paths, "packages": list(packages)}
    note(run, "log_model", stored | {"parameters": list(parameters), "example": example, "registration": registration})
