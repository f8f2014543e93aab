"""Who runs a sweep: one process at a time, of all machines that share a storage, known by a heartbeat in the study's database.

Optuna's own heartbeats are of trials, and of its own loop alone (``Study.optimize``). A lease is a row: who holds it, and a
number that its holder counts up. No clocks are compared: who finds a lease of another machine looks on, and takes it only
after the number has stood still for ``EXPIRY`` seconds. Of two who do, one changes the row that both have read.
"""

import json
import os
import platform
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import psutil
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from pipelines.runs.processes import identity, lives
from pipelines.sweeping.storage import patient

BEAT, EXPIRY = 10.0, 60.0
"""Seconds between two beats, and without one until the lease is free."""
LEASES = Table(
    "sweep_leases",
    MetaData(),
    Column("study", String(512), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("beat", Integer, nullable=False),
)


class Seen(NamedTuple):
    """A lease as somebody else holds it."""

    holder: str
    beat: int


class Lease:
    """The right to run the sweep of one study; held until it is released or its process is gone."""

    def __init__(self, storage: optuna.storages.RDBStorage, study: str) -> None:
        """Take the lease, at once from a process of this machine that is gone, else after ``EXPIRY`` seconds without a beat.

        Raises:
            ValueError: where a living process has it; names process and machine.
        """
        self._engine, self._study = storage.engine, study
        here = {"machine": machine(), "host": platform.node(), "process": identity(psutil.Process())}
        self._holder = json.dumps(here | {"token": uuid.uuid4().hex})
        patient(LEASES.create)(self._engine, checkfirst=True)
        while not self._insert() and not self._take():
            pass
        self._over = threading.Event()
        self._lost = False
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    @patient
    def _insert(self) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(LEASES).values(study=self._study, holder=self._holder, beat=0))
        except IntegrityError:
            return self._seen() == Seen(self._holder, 0)
        return True

    @patient
    def _seen(self) -> Seen | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(LEASES.c.holder, LEASES.c.beat).where(LEASES.c.study == self._study)).first()
        return None if row is None else Seen(*row)

    @patient
    def _change(self, holder: str, beat: int | None = None) -> bool:
        """Beat, if ``holder`` still has the lease, and at ``beat`` if that is given; it then is this process's."""
        held = update(LEASES).where(LEASES.c.study == self._study, LEASES.c.holder == holder)
        held = held if beat is None else held.where(LEASES.c.beat == beat)
        with self._engine.begin() as connection:
            return connection.execute(held.values(holder=self._holder, beat=LEASES.c.beat + 1)).rowcount == 1

    def _take(self) -> bool:
        """Take the lease of another if its holder is gone; ``False`` if it was released or taken meanwhile.

        Raises:
            ValueError: where the holder lives.
        """
        seen = self._seen()
        if seen is None:
            return False
        holder: dict[str, Any] = json.loads(seen.holder)
        who = f"process {holder['process'][0]} on {holder['host']}"
        here = holder["machine"] == machine()
        if (here and lives(holder["process"])) or (not here and self._beats(seen, who)):
            raise ValueError(f"sweep {self._study} is run by {who}: wait until it is done, or end it there")
        taken = self._change(*seen)
        if taken and not here:
            print(f"takes up sweep {self._study} from {who}, which has been silent", file=sys.stderr, flush=True)
        return taken

    def _beats(self, seen: Seen, who: str) -> bool:
        """Whether the lease changes before it expires."""
        print(f"{who} ran sweep {self._study}: looks for {EXPIRY:g} s whether it still does", file=sys.stderr, flush=True)
        until = time.monotonic() + EXPIRY
        while time.monotonic() < until:
            time.sleep(min(BEAT / 5, EXPIRY / 5))
            if (now := self._seen()) != seen:
                return now is not None
        return False

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(ConnectionError, SQLAlchemyError):  # as long as nobody else can take the lease there is no harm
                if not self._change(self._holder):
                    self._lost = True
                    return

    def check(self) -> None:
        """Refuse to go on where another has taken the lease.

        Raises:
            ValueError: naming who has it now.
        """
        if self._lost:
            seen = self._seen()
            holder: dict[str, Any] = json.loads(seen.holder) if seen else {"host": "another machine"}
            raise ValueError(
                f"sweep {self._study} was taken up on {holder['host']} while this process was silent; it goes on there"
            )

    def close(self) -> None:
        """Release the lease; a database that does not answer leaves it to expire."""
        self._over.set()
        self._heart.join()
        held = delete(LEASES).where(LEASES.c.study == self._study, LEASES.c.holder == self._holder)
        with suppress(SQLAlchemyError), self._engine.begin() as connection:
            connection.execute(held)


def machine() -> str:
    """What numbers of processes belong to: a machine since its start, and where it has them a container's own numbers."""
    files = (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid"))
    started, numbers = (
        os.readlink(file) if file.is_symlink() else file.read_text().strip() if file.exists() else "" for file in files
    )
    return f"{platform.node()} {started} {numbers}"
