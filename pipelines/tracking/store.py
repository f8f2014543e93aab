"""Where the dashboard's data lie, and how many processes at once find it there."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rnn_lightning.files import made_once

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[2]
SQLITE = "sqlite:///"
_ANSWERED: set[str] = set()


def open_store() -> str:
    """The URI of the store: ``MLFLOW_TRACKING_URI``, or a database in the project; made here if it does not exist."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    uri = os.environ.setdefault("MLFLOW_TRACKING_URI", f"{SQLITE}{ROOT / 'mlflow.db'}")
    database = _database(uri)
    if database and not database.exists():
        _create(database)
    return uri


def client() -> "MlflowClient":
    """A client of the open store.

    Raises:
        ConnectionError: where it does not answer the first question of this process.
    """
    uri = open_store()
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        made = mlflow.MlflowClient(uri)
        if uri not in _ANSWERED:
            made.search_experiments(max_results=1)
            _ANSWERED.add(uri)
    except Exception as error:  # of the store, its database or the network: each has its own kinds
        said = (str(error).splitlines() or [type(error).__name__])[0]
        advice = "set MLFLOW_TRACKING_URI to a database or a server, or leave it unset for one in the project"
        raise ConnectionError(f"no dashboard at {uri}: {said}; {advice}") from error
    return made


def open_experiment(name: str, tags: Mapping[str, str] | None = None) -> str:
    """The id of the experiment ``name``: there afterwards, whoever else is making it, and carrying ``tags``.

    ``mlflow.note.content`` is the tag that the dashboard shows as the description.
    """
    from mlflow.exceptions import MlflowException

    store = client()
    found = store.get_experiment_by_name(name)
    if found is None:
        try:
            return _tagged(store, store.create_experiment(name, artifact_location=_artifacts(name)), tags)
        except MlflowException:
            found = store.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        store.restore_experiment(found.experiment_id)
    return _tagged(store, found.experiment_id, tags)


def _tagged(store: "MlflowClient", experiment_id: str, tags: Mapping[str, str] | None) -> str:
    carried = store.get_experiment(experiment_id).tags if tags else {}
    for key, value in (tags or {}).items():
        if carried.get(key) == value:
            continue
        try:
            store.set_experiment_tag(experiment_id, key, value)
        except Exception:  # of two that give an experiment the same new tag at once, the store refuses one: now it is not new
            store.set_experiment_tag(experiment_id, key, value)
    return experiment_id


def _database(uri: str) -> Path | None:
    return Path(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None


def _artifacts(experiment: str) -> str | None:
    """SeedProcess the database of a local store; ``None``, the server's choice, for any other."""
    database = _database(open_store())
    return (database.parent / "mlartifacts" / experiment).as_uri() if database else None


def _create(database: Path) -> None:
    """Make the tables in a file of another name, then rename it: the store is there as a whole or not at all.

    Two processes that let MLflow make the tables of one new file at once leave a file that none can open again.
    """
    for noisy in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    made_once(database, _make_tables)


def _make_tables(unfinished: Path) -> None:
    from mlflow import MlflowClient

    uri = f"{SQLITE}{unfinished}"
    MlflowClient(uri, registry_uri=uri).search_experiments()
