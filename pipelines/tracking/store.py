"""Where the dashboard's data lie, and how many processes at once find it there."""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.settings.places import PROJECT
from rnn_lightning.files import made_once

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
BRIEF = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "3", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
PATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""How long (s) a server may take for an answer, and how often it is asked again: while work goes on, and while none does."""
MISREAD = re.compile(r"\?|%[0-9a-fA-F]{2}")
"""What in the path of a database is not taken as it is written: the beginning of a query, and signs by their numbers."""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""The tag by which MLflow shows an experiment as one of models, and not of chats."""
EXPERIMENT = "EXPERIMENT_ID"
"""In a tag, what stands for the id of its experiment."""
_ANSWERED: set[str] = set()


def open_store() -> str:
    """The URI of the store, whose database is made here if it does not exist."""
    uri = store_uri()
    database = _database(uri)
    if database and not database.exists():
        _create(database)
    return uri


def store_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or a database in the project."""
    quieten_client()
    return os.environ.setdefault("MLFLOW_TRACKING_URI", f"{SQLITE}{PROJECT / 'mlflow.db'}")


def ask_briefly() -> None:
    """Have a server that does not answer be given up soon, unless the environment says how long to wait."""
    for name, value in BRIEF.items():
        os.environ.setdefault(name, value)


def ask_patiently() -> None:
    """Have a slow server be waited for, unless the environment says how long."""
    for name, value in PATIENT.items():
        if os.environ.get(name) in (None, BRIEF[name]):
            os.environ[name] = value


def load_client() -> None:
    """Import MLflow: on the thread that calls, since two that import at once may find modules half made."""
    quieten_client()
    from mlflow.store.tracking import rest_store, sqlalchemy_store  # noqa: F401


def quieten_client() -> None:
    """Have MLflow send no telemetry, and show no progress bars: it shows copies of three files as downloads."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def client() -> "MlflowClient":
    """A client of the open store.

    Raises:
        ConnectionError: where it does not answer the first question of this process.
    """
    uri = store_uri()
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        open_store()
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
    carried = store.get_experiment(experiment_id).tags
    wanted = {key: value.replace(EXPERIMENT, experiment_id) for key, value in {**KIND, **(tags or {})}.items()}
    for key, value in wanted.items():
        if carried.get(key) == value:
            continue
        try:
            store.set_experiment_tag(experiment_id, key, value)
        except Exception:  # of two that give an experiment the same new tag at once, the store refuses one: now it is not new
            store.set_experiment_tag(experiment_id, key, value)
    return experiment_id


def _database(uri: str) -> Path | None:
    """The file of an SQLite store.

    Raises:
        ValueError: where SQLite would make another one, maybe in another folder.
    """
    check_database(uri)
    return Path(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None


def check_database(uri: str) -> None:
    """Refuse the URI of an SQLite file whose path would be read otherwise than it is written.

    Raises:
        ValueError: naming the part.
    """
    if uri.startswith(SQLITE) and (part := MISREAD.search(uri)):
        raise ValueError(f"a database cannot lie in a folder with {part[0]} in its name ({uri}): give another path, or move it")


def _artifacts(experiment: str) -> str | None:
    """SeedProcess the database of a local store; ``None``, the server's choice, for any other."""
    database = _database(store_uri())
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
