"""A run's life in the dashboard: begun, gone on with, replaced, ended.

A *place* is a run folder on a machine; a *fingerprint* is what decides the numbers: configuration, data and code. Work begun
again at a place with the same fingerprint goes on in the same MLflow run, with another one it replaces that run.
"""

import hashlib
import json
import os
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pipelines.runs.folders import flatten
from pipelines.runs.processes import start_time
from pipelines.settings.environment import user_name
from pipelines.tracking.store import client, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run

BEGUN_BY = ("stage", "mlflow.source.name")
"""Tags of who began a run; whoever goes on with it leaves them as they are."""


def start_run(
    folder: Path,
    *,
    experiment: str,
    name: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    description: str = "",
) -> str:
    """Begin, or go on with, the MLflow run of ``folder``; returns its id.

    Args:
        folder: what the run writes to; it names the run's place.
        experiment: the task, as a rule; made if need be.
        name: what people call the run: ``lstm seed 1``.
        config: all settings of the run, nested plain values; logged as parameters such as ``trainer.max_steps``.
        tags: what else is known before it starts; ``data`` and ``commit`` are part of the fingerprint.
        description: markdown for the run's page.
    """
    mark_dead_runs_killed()
    store, experiment_id = client(), open_experiment(experiment)
    parameters = {key: str(value)[:500] for key, value in flatten(config).items()}
    identity = _identity(folder, parameters, tags)
    all_tags = _process_tags() | dict(tags) | identity | {"mlflow.note.content": description}
    here = list(store.search_runs([experiment_id], f"tags.place = '{identity['place']}'"))
    same = [run for run in here if run.data.tags["fingerprint"] == identity["fingerprint"]]
    if same:
        run_id = same[0].info.run_id
        set_tags(run_id, {key: value for key, value in all_tags.items() if key not in BEGUN_BY})
        store.update_run(run_id, status="RUNNING", name=name)
    else:
        run_id = store.create_run(experiment_id, tags=all_tags, run_name=name).info.run_id
        _log_parameters(run_id, parameters)
    _delete_superseded([run for run in here if run not in same], run_id)
    return run_id


def _identity(folder: Path, parameters: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that tell whether a run is the same: its place, and the fingerprint of what decides its numbers."""
    commit = tags.get("commit", "")
    return {
        "folder": str(folder),
        "place": _digest([socket.gethostname(), str(folder.resolve())]),
        "fingerprint": _digest([parameters, tags.get("data"), tags.get("commit")]),
        "mlflow.source.git.commit": commit,
    }


def _delete_superseded(runs: list["Run"], successor: str) -> None:
    """Take the runs out of the tables; MLflow keeps them under "Deleted", where the tag says what replaced them."""
    for run in runs:
        client().set_tag(run.info.run_id, "superseded_by", successor)
        client().delete_run(run.info.run_id)


def _digest(value: Any) -> str:
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


def _log_parameters(run_id: str, parameters: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    params = [Param(key, value) for key, value in parameters.items()]
    for begin in range(0, len(params), 100):  # MLflow's limit of parameters in one call
        client().log_batch(run_id, params=params[begin : begin + 100])


def mark_dead_runs_killed() -> int:
    """Mark the RUNNING runs of this machine whose process is gone as KILLED; returns how many there were."""
    store = client()
    experiments = [each.experiment_id for each in store.search_experiments()]
    running = f"attributes.status = 'RUNNING' and tags.host = '{socket.gethostname()}'"
    gone = [run.info.run_id for run in store.search_runs(experiments, running) if not _alive(run.data.tags)]
    # Since the search a process may have ended its run, and itself, and another may have taken the run up.
    again = [store.get_run(run_id) for run_id in gone]
    dead = [run.info.run_id for run in again if run.info.status == "RUNNING" and not _alive(run.data.tags)]
    for run_id in dead:
        store.set_terminated(run_id, "KILLED")
    return len(dead)


def _alive(tags: Mapping[str, str]) -> bool:
    """Whether the process lives: the number of a dead one is given to another sooner or later, its time of birth is not."""
    try:
        return str(start_time(int(tags["pid"]))) == tags["pid_born"]
    except psutil.NoSuchProcess:
        return False


def finish(run_id: str, status: str = "FINISHED", *, seconds: float | None = None) -> None:
    """End the run as ``FINISHED``, ``FAILED`` or ``KILLED``: now, or as if it had lasted so many ``seconds``."""
    store = client()
    end = None if seconds is None else store.get_run(run_id).info.start_time + round(1000 * seconds)
    store.set_terminated(run_id, status, end)


@contextmanager
def recording(run_id: str, *, seconds: float | None = None) -> Iterator[None]:
    """Whatever happens inside, the run does not stay RUNNING: an error makes it FAILED, an interruption KILLED.

    A dashboard that does not answer costs a warning: the work inside is done, and its files are there. ``seconds`` are the
    run's, as for ``finish``.
    """
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        with warn_if_tracking_fails(f"that run {run_id} ended as {status}"):
            finish(run_id, status, seconds=seconds)


@contextmanager
def warn_if_tracking_fails(lost: str) -> Iterator[None]:
    """What is ``told`` to the dashboard inside, and does not reach it, costs a warning: work goes on without."""
    try:
        yield
    except Exception as error:  # as in the logger: whatever a store may raise is not the work's concern
        warnings.warn(f"the dashboard does not know {lost}: {error}", stacklevel=3)


def set_tags(run_id: str, tags: Mapping[str, str]) -> None:
    """Set or replace tags; ``mlflow.note.content`` is the description on the run's page."""
    from mlflow.entities import RunTag

    client().log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in tags.items()])
