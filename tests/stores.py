"""The dashboard's store of a test is a copy of an empty one: MLflow takes most of a second to make its tables."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from pipelines.tracking import store

make_tables = store._make_tables


@cache
def empty() -> bytes:
    """The database that MLflow makes for a new store."""
    with tempfile.TemporaryDirectory() as folder:
        make_tables(Path(folder, "mlflow.db"))
        return Path(folder, "mlflow.db").read_bytes()


def copy_empty(database: Path) -> None:
    """Write the empty store to ``database``, by SQLite itself: what watches Python's files sees what it sees of MLflow."""
    wait_for_no_disk()
    with closing(sqlite3.connect(":memory:")) as known, closing(sqlite3.connect(database)) as made:
        known.deserialize(empty())
        known.backup(made)


@cache
def wait_for_no_disk() -> None:
    """Have SQLAlchemy's connections to SQLite leave it to the system when their pages come to the disk: a killed process loses
    nothing by that, and no test cuts the power."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def leave_it(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", leave_it)
