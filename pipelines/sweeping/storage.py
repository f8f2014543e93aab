"""The database of studies: opened once for all who come at the same time, and waited for where it does not answer."""

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from pipelines.settings.places import PROJECT
from pipelines.tracking.store import SQLITE, check_database
from rnn_lightning.files import made_once

PATIENCE, PAUSE = 120.0, 0.5
"""Seconds that a database may be locked or out of reach, and those between two tries."""
PATIENT = (
    *optuna.storages.BaseStorage.__abstractmethods__,
    *("_create_new_trial", "_set_trial_param", "_get_trials", "_get_best_trial_id"),
)
"""What Optuna asks of a storage, and of this one through its cache."""
Given = ParamSpec("Given")
Found = TypeVar("Found")


def patient(action: Callable[Given, Found]) -> Callable[Given, Found]:
    """``action``, repeated while the database is locked or out of reach, for ``PATIENCE`` seconds.

    What fails so has changed nothing, but where the connection is lost in a commit: see to that a second time does no harm.

    Raises:
        ConnectionError: after that; says what the database did.
    """

    @wraps(action)
    def repeated(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return action(*args, **kwargs)
            except (StorageInternalError, DBAPIError) as error:
                cause = error if isinstance(error, DBAPIError) else error.__cause__
                if not isinstance(cause, OperationalError | InterfaceError):
                    raise
                if time.monotonic() >= until:
                    said = str(cause).splitlines()[0]
                    advice = "the same command goes on with the sweep"
                    raise ConnectionError(f"no answer of the studies' database for {PATIENCE:g} s: {said}; {advice}") from None
            time.sleep(PAUSE)

    return repeated


class PatientStorage(optuna.storages.RDBStorage):
    """Optuna's storage, every question of which is asked again while the database does not answer."""


for _name in PATIENT:
    setattr(PatientStorage, _name, patient(getattr(optuna.storages.RDBStorage, _name)))


def default_storage() -> str:
    """A database in the project. Never the dashboard's: both keep a table ``alembic_version``."""
    return f"{SQLITE}{PROJECT / 'sweeps.db'}"


def open_storage(url: str) -> PatientStorage:
    """The storage at ``url``; a new SQLite file is made as a whole or not at all, whoever else opens it at the same time.

    Raises:
        ValueError: where there is no such database.
        ConnectionError: for a file of SQLite that stays locked.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    local = url.startswith(SQLITE)
    if local:
        check_database(url)
        file = Path(url.removeprefix(SQLITE)).absolute()
        if file.is_dir():
            raise ValueError(
                f"storage {url}: {file} is a folder: give the path of a file, such as {SQLITE}{file / 'sweeps.db'}"
            )
        made_once(file, lambda unfinished: optuna.storages.RDBStorage(f"{SQLITE}{unfinished}"))
    try:  # a server that is not there at the start is a wrong address rather than a passing trouble
        return (patient(_open) if local else _open)(url)
    except ConnectionError:
        raise
    except Exception as error:
        raise ValueError(f"storage {_shown(url)}: {str(error).splitlines()[0]}") from None


def _open(url: str) -> PatientStorage:
    return PatientStorage(url, engine_kwargs={"pool_pre_ping": True})


def _shown(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string()
    except Exception:  # no address: there is no password to hide
        return url
