"""A run's life in the dashboard: begun, gone on with, replaced, ended.

A *place* is a run folder on a machine; a *fingerprint* is what decides the numbers: configuration, data and code. Work begun
again at a place with the same fingerprint goes on in the same MLflow run, with another one it replaces that run. The two
together name a run, ``PLACE-FINGERPRINT``, before MLflow knows of it.
"""

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

import psutil

from pipelines.runs.processes import start_time
from pipelines.tracking.names import HIDDEN, PREFIX, hidden, shown_name, tag
from pipelines.tracking.store import client, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run

BEGUN_BY = (f"{PREFIX}stage", "mlflow.source.name")
"""Tags of who began a run; whoever goes on with it leaves them as they are."""


class Superseded(Exception):
    """A run that is begun in the dashboard late, when another one has its place already."""


def begin(
    at: int,
    *,
    experiment: str,
    about: Mapping[str, str],
    name: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
) -> str:
    """Begin, or go on with, the MLflow run that ``tags`` name; returns its id.

    Args:
        at: when it was begun, in milliseconds.
        experiment: made if need be, with the tags ``about``.
        tags: ``place`` and ``fingerprint`` among them.

    Raises:
        Superseded: where the place has a run that was begun later.
    """
    mark_dead_runs_killed()
    store, experiment_id = client(), open_experiment(experiment, about)
    here = _search([experiment_id], {"place": tags["place"]})
    same = [run for run in here if tag(run.data.tags, "fingerprint") == tags["fingerprint"]]
    tags = hidden(tags)
    if any(run.info.start_time > at for run in here if run not in same):
        raise Superseded
    if same:
        run_id = same[0].info.run_id
        set_tags(run_id, {key: value for key, value in tags.items() if key not in BEGUN_BY})
        store.update_run(run_id, status="RUNNING", name=name)
    else:
        run_id = store.create_run(experiment_id, start_time=at, tags=dict(tags), run_name=name).info.run_id
    _log_parameters(run_id, parameters)
    _delete_superseded([run for run in here if run not in same], run_id)
    return run_id


def find_run(name: str) -> str | None:
    """The id of the run that is called ``PLACE-FINGERPRINT``, if the dashboard has it."""
    store, (place, _, fingerprint) = client(), name.partition("-")
    experiments = [each.experiment_id for each in store.search_experiments()]
    found = _search(experiments, {"place": place, "fingerprint": fingerprint})
    return found[0].info.run_id if found else None


def _search(experiments: list[str], tags: Mapping[str, str], *conditions: str) -> list["Run"]:
    """The runs with these tags, also those that an earlier version has begun, which showed them all."""
    assert tags.keys() <= HIDDEN
    found: dict[str, Run] = {}
    for prefix in (PREFIX, ""):
        wanted = [*conditions, *(f"tags.`{prefix}{key}` = '{value}'" for key, value in tags.items())]
        found |= {run.info.run_id: run for run in client().search_runs(experiments, " and ".join(wanted))}
    return list(found.values())


def _delete_superseded(runs: list["Run"], successor: str) -> None:
    """Take the runs out of the tables; MLflow keeps them under "Deleted", where the tag says what replaced them."""
    for run in runs:
        client().set_tag(run.info.run_id, "superseded_by", successor)
        client().delete_run(run.info.run_id)


def _log_parameters(run_id: str, parameters: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    params = [Param(shown_name(key), value) for key, value in parameters.items()]
    for begin in range(0, len(params), 100):  # MLflow's limit of parameters in one call
        client().log_batch(run_id, params=params[begin : begin + 100])


def mark_dead_runs_killed() -> int:
    """Mark the RUNNING runs of this machine whose process is gone as KILLED; returns how many there were."""
    store = client()
    experiments = [each.experiment_id for each in store.search_experiments()]
    running = _search(experiments, {"host": socket.gethostname()}, "attributes.status = 'RUNNING'")
    gone = [run.info.run_id for run in running if not _alive(run.data.tags)]
    # Since the search a process may have ended its run, and itself, and another may have taken the run up.
    again = [store.get_run(run_id) for run_id in gone]
    dead = [run.info.run_id for run in again if run.info.status == "RUNNING" and not _alive(run.data.tags)]
    for run_id in dead:
        store.set_terminated(run_id, "KILLED")
    return len(dead)


def _alive(tags: Mapping[str, str]) -> bool:
    """Whether the process lives: the number of a dead one is given to another sooner or later, its time of birth is not."""
    try:
        return str(start_time(int(tag(tags, "pid") or 0))) == tag(tags, "pid_born")
    except psutil.NoSuchProcess:
        return False


def finish(run_id: str, at: int, status: str = "FINISHED", *, seconds: float | None = None) -> None:
    """End the run as ``FINISHED``, ``FAILED`` or ``KILLED``: ``at`` (ms), or as if it had lasted ``seconds``."""
    store = client()
    end = at if seconds is None else store.get_run(run_id).info.start_time + round(1000 * seconds)
    store.set_terminated(run_id, status, end)


def set_tags(run_id: str, tags: Mapping[str, str]) -> None:
    """Set or replace tags; ``mlflow.note.content`` is the description on the run's page."""
    from mlflow.entities import RunTag

    client().log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in hidden(tags).items()])
