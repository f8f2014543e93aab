"""A sweep is run by one process at a time, of all that share its database, and a lost one is followed after its lease."""

import importlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from often import some
from sqlalchemy.exc import OperationalError

from pipelines.sweeping import lease, storage
from pipelines.sweeping.lease import Lease
from pipelines.sweeping.storage import PatientStorage, open_storage, patient

ROOT = Path(__file__).resolve().parent.parent
HOLD = "import sys; from pipelines.sweeping import lease; from pipelines.sweeping.storage import open_storage; "
HOLD += "lease.BEAT = 0.1; lease.machine = lambda: sys.argv[2]; held = lease.Lease(open_storage(sys.argv[1]), 'mine'); "
HOLD += "print('held', flush=True); sys.stdin.readline(); held.close()"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.1)
    monkeypatch.setattr(lease, "EXPIRY", 1.0)
    monkeypatch.setattr(storage, "PAUSE", 0.05)


@pytest.fixture
def url(tmp_path: Path) -> str:
    open_storage(f"sqlite:///{tmp_path}/sweeps.db")
    return f"sqlite:///{tmp_path}/sweeps.db"


def holder(url: str, machine: str) -> subprocess.Popen[str]:
    """A process on a machine of that name that has the lease."""
    command = [sys.executable, "-c", HOLD, url, machine]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("elsewhere", some([True, False], 1))
def test_the_second_of_two_is_refused_and_a_released_lease_is_free(url: str, elsewhere: bool) -> None:
    with holder(url, "elsewhere" if elsewhere else lease.machine()) as first:
        with pytest.raises(
            ValueError, match=rf"sweep mine is run by process {first.pid} on .*: wait until it is done, or end it"
        ):
            Lease(open_storage(url), "mine")
        first.communicate("\n", timeout=20)
    Lease(open_storage(url), "mine").close()


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_lease_of_a_lost_process_is_taken(url: str, elsewhere: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """At once where this machine knows that it is gone, else when its lease expires."""
    with holder(url, "elsewhere" if elsewhere else lease.machine()) as first:
        first.kill()
    began = time.monotonic()
    Lease(open_storage(url), "mine").close()
    assert (time.monotonic() - began >= 1.0) == elsewhere
    assert ("takes up sweep mine from process" in capsys.readouterr().err) == elsewhere


def test_who_was_silent_too_long_stops(url: str) -> None:
    first = Lease(open_storage(url), "other")
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        database.execute("update sweep_leases set holder = '{\"host\": \"second\"}' where study = 'other'")
    first._heart.join(5)
    with pytest.raises(ValueError, match="sweep other was taken up on second while this process was silent"):
        first.check()
    first.close()


def test_of_many_at_once_one_has_the_lease(url: str) -> None:
    opened = open_storage(url)
    won: list[Lease] = []

    def attempt() -> None:
        with suppress(ValueError):
            won.append(Lease(opened, "mine"))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].close()


def lock(url: str, seconds: float) -> threading.Thread:
    """Have a thread lock the file for so long; it has begun when this returns."""
    begun = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("begin exclusive")
        begun.set()
        time.sleep(seconds)
        connection.execute("rollback")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    return thread


def test_a_file_that_is_locked_longer_than_sqlite_waits_ends_nothing(url: str) -> None:
    hasty = {"connect_args": {"timeout": 0.3}}  # SQLite's own patience is 5 s
    study = optuna.create_study(study_name="mine", storage=PatientStorage(url, engine_kwargs=hasty))
    locked = lock(url, 1)
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    study.tell(trial, 1.0)
    locked.join()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]


def test_patience_ends_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.2)
    calls = []

    @patient
    def ask() -> None:
        calls.append(1)
        raise OperationalError("select", {}, Exception("server closed the connection"))

    with pytest.raises(ConnectionError, match=r"no answer of the studies' database for 0.2 s: .*closed.*; the same command"):
        ask()
    assert len(calls) > 2


def test_every_question_that_reaches_the_database_is_patient() -> None:
    names = {*storage.PATIENT}
    assert all(getattr(PatientStorage, name) is not getattr(optuna.storages.RDBStorage, name) for name in names)


@pytest.mark.slow
def test_a_lease_on_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg2", reason="`make test-all` installs the cluster's packages")
    if not (list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or shutil.which("pg_ctl")):
        pytest.skip("PostgreSQL is not here: apt-get install postgresql")
    monkeypatch.syspath_prepend(ROOT)
    postgresql = importlib.import_module("benchmarks.kills").postgresql
    with tempfile.TemporaryDirectory() as place, postgresql(Path(place)) as server:
        test_the_second_of_two_is_refused_and_a_released_lease_is_free(server.sweeps, True)
        with holder(server.sweeps, "elsewhere") as first:
            first.kill()
        Lease(open_storage(server.sweeps), "mine").close()
        test_of_many_at_once_one_has_the_lease(server.sweeps)
