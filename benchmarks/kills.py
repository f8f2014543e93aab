"""Sweeps whose processes are killed at random: ``python -m benchmarks.kills [--kills 50] [--database postgresql]``.

Small sweeps with 2 to 4 workers run one after the other, and SIGKILL strikes one of their processes every few seconds: a trial,
or the runner, whose command is then given again. After each sweep its trials are counted, and in the end both databases
are checked. A server of PostgreSQL is started for this alone (Debian: ``apt-get install postgresql``).
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from pipelines.runs.provenance import ROOT, commit, hardware
from rnn_lightning.files import write_json

TASK = ["task=adding", "rnn=gru", "task.corpus.steps=10", "task.parameters=600", "trainer.checkpoint_seconds=0"]
TASK += [f"task.corpus.rows.{split}={rows}" for split, rows in {"train": 400, "validation": 40, "test": 40}.items()]
TASK += ["task.training.epochs=8", "task.training.validate_every=20", "task.data.batch_size=20"]
SPACE = "space:\n  task.model.optimizer.lr: {low: 0.001, high: 0.02, log: true}\n  task.training.clip: {low: 0.5, high: 5.0}\n"
PRUNER = "pruner: {name: median, startup_trials: 2}\n"
TRIALS, PATIENCE, BETWEEN = 6, 900.0, (2.0, 10.0)


class Store:
    """Two databases, one for studies and one for runs: where they are, and whether they are whole."""

    def __init__(self, sweeps: str, runs: str, place: Path) -> None:
        self.sweeps, self.runs, self.place = sweeps, runs, place

    def whole(self) -> dict[str, str]:
        """What each database's own check says: ``ok``."""
        if self.sweeps.startswith("sqlite"):
            return {url: _sqlite_says(Path(url.removeprefix("sqlite:///"))) for url in (self.sweeps, self.runs)}
        return {url: _postgres_says(url) for url in (self.sweeps, self.runs)}


def _sqlite_says(file: Path) -> str:
    with sqlite3.connect(file) as opened:
        return str(opened.execute("pragma integrity_check").fetchone()[0])


def _postgres_says(url: str) -> str:
    told = url.replace("+psycopg2", "")
    done = subprocess.run(
        [_binary("pg_amcheck"), "--install-missing", "--heapallindexed", told], capture_output=True, text=True, check=False
    )
    return "ok" if done.returncode == 0 and not done.stdout.strip() else (done.stdout + done.stderr).strip()


def _binary(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    told = str(found[-1]) if found else shutil.which(name)
    if told is None:
        raise SystemExit(f"error: {name} of PostgreSQL is not here: apt-get install postgresql")
    return told


@contextmanager
def sqlite(place: Path) -> Iterator[Store]:
    yield Store(f"sqlite:///{place}/sweeps.db", f"sqlite:///{place}/mlflow.db", place)


@contextmanager
def postgresql(place: Path) -> Iterator[Store]:
    """A server of its own, on a socket in ``place``; PostgreSQL refuses to run as root, so root runs it as nobody."""
    data, port = place / "postgres", random.randint(20_000, 40_000)
    as_user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
    data.mkdir()
    if as_user:
        shutil.chown(data, "nobody")
        place.chmod(0o755)
    told = f"-k {data} -p {port} -c listen_addresses= -c fsync=off"

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

    run(_binary("initdb"), "-D", f"{data}/base", "-U", "sweeper", "-A", "trust")
    run(_binary("pg_ctl"), "-D", f"{data}/base", "-o", told, "-l", f"{data}/log", "-w", "start")
    try:
        names = ("sweeps", "runs")
        for name in names:
            run(_binary("createdb"), "-h", str(data), "-p", str(port), "-U", "sweeper", name)
        sweeps, runs = (f"postgresql+psycopg2://sweeper@/{name}?host={data}&port={port}" for name in names)
        yield Store(sweeps, runs, place)
    finally:
        run(_binary("pg_ctl"), "-D", f"{data}/base", "-m", "fast", "stop")


def environment(store: Store) -> dict[str, str]:
    told = {"PYTHONPATH": f"{store.place}:{store.place}/src", "MLFLOW_TRACKING_URI": store.runs, "OMP_NUM_THREADS": "1"}
    return os.environ | told


def prepare(place: Path, store: Store) -> None:
    """A copy of the stages with a small corpus, where all is written."""
    for part in ("pipelines", "conf", "src"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    for stage in ("fetch", "preprocess"):
        subprocess.run([sys.executable, "-m", f"pipelines.{stage}", *TASK], cwd=place, env=environment(store), check=True)


def processes(folder: Path) -> list[int]:
    """The trials of a sweep that are at work."""
    open_ones = [file for file in folder.glob("*/process.json") if not (file.parent / "outcome.json").exists()]
    told = []
    for file in open_ones:
        try:
            told.append(int(json.loads(file.read_text())["pid"]))
        except (ValueError, KeyError):
            continue
    return [pid for pid in told if Path(f"/proc/{pid}").exists()]


class Sweep:
    """A sweep that begins again as often as it is killed."""

    def __init__(self, store: Store, name: str, workers: int) -> None:
        (store.place / f"conf/sweep/{name}.yaml").write_text(SPACE + PRUNER)
        told = [f"sweep={name}", f"trials={TRIALS}", f"workers={workers}", f"storage={store.sweeps}", *TASK]
        self.command = [sys.executable, "-m", "pipelines.sweep", *told]
        self.store, self.name, self.log = store, name, store.place / f"{name}.log"
        self.killed: Counter[str] = Counter()
        self.begin()

    def begin(self) -> None:
        """Give the command, again or for the first time."""
        out = self.log.open("a")
        self.process = subprocess.Popen(
            self.command, cwd=self.store.place, env=environment(self.store), stdout=out, stderr=subprocess.STDOUT
        )

    def strike(self, draws: random.Random) -> None:
        """Kill one of its processes, if a trial is at work; a runner that is killed begins again."""
        at_work = processes(self.store.place / f"work/sweeps/adding-gru-{self.name}")
        if not at_work or self.process.poll() is not None:
            return
        victim = draws.choice([*at_work, self.process.pid])
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.killed["runner" if victim == self.process.pid else "trial"] += 1
        if victim == self.process.pid:
            self.process.wait()
            self.begin()

    def fail(self, what: str) -> SystemExit:
        said = "\n".join(self.log.read_text().splitlines()[-5:])
        return SystemExit(f"error: sweep {self.name} {what}:\n{said}")


def one_sweep(store: Store, name: str, workers: int, kills: int, draws: random.Random) -> dict[str, int]:
    """Run a sweep and kill its processes up to ``kills`` times; returns how often which kind was killed."""
    sweep, began = Sweep(store, name, workers), time.monotonic()
    while sweep.process.poll() is None:
        if time.monotonic() - began > PATIENCE:
            raise sweep.fail("hangs")
        time.sleep(draws.uniform(*BETWEEN))
        if sweep.killed.total() < kills:
            sweep.strike(draws)
    if sweep.process.returncode:
        raise sweep.fail(f"ended with exit code {sweep.process.returncode}")
    return dict(sweep.killed)


def check_trials(store: Store, name: str) -> dict[str, int]:
    """The states of a sweep's trials.

    Raises:
        SystemExit: unless exactly as many as were asked for are complete or pruned, none of them twice and none left open.
    """
    trials = optuna.load_study(study_name=f"adding-gru-{name}", storage=store.sweeps).trials
    over = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    places = {trial.user_attrs["place"] for trial in over}
    states = dict(Counter(trial.state.name.lower() for trial in trials))
    if len(over) != TRIALS or len(places) != TRIALS or set(states) - {"complete", "pruned", "fail"}:
        reasons = Counter(trial.user_attrs.get("reason") for trial in trials)
        raise SystemExit(f"error: sweep {name}: {states}, in {len(places)} folders; {dict(reasons)}")
    return states


def study(database: str, kills: int, seed: int) -> dict[str, Any]:
    """Sweeps until ``kills`` processes are killed."""
    draws, total, states, sweeps = random.Random(seed), Counter[str](), Counter[str](), 0
    workers: list[int] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, {"sqlite": sqlite, "postgresql": postgresql}[database](Path(name)) as store:
        prepare(Path(name), store)
        while total.total() < kills:
            workers.append(2 + sweeps % 3)
            sweeps += 1
            total.update(one_sweep(store, f"kills{sweeps}", workers[-1], kills - total.total(), draws))
            states.update(check_trials(store, f"kills{sweeps}"))
            said = f"{database}: {dict(total)} killed in {sweeps} sweeps; {dict(states)}"
            print(f"{said}; {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        whole = sorted(set(store.whole().values()))
    if whole != ["ok"]:
        raise SystemExit(f"error: {database}: {whole}")
    asked = {"sweeps": sweeps, "trials_each": TRIALS, "workers": workers}
    return asked | {
        "killed": dict(total),
        "states": dict(states),
        "integrity": "ok",
        "seconds": round(time.monotonic() - began),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    arguments.add_argument("--kills", type=int, default=50, help="how many, in each database")
    arguments.add_argument("--database", choices=("sqlite", "postgresql"), action="append", help="default: both")
    arguments.add_argument("--seed", type=int, default=1)
    told = arguments.parse_args()
    file = ROOT / "benchmarks" / "kills.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    for database in told.database or ["sqlite", "postgresql"]:
        found = study(database, told.kills, told.seed)
        facts = {"commit": commit(), "hardware": hardware("cpu"), "command": f"python -m benchmarks.kills --kills {told.kills}"}
        known[database] = found | facts
        write_json(file, known)
        print(json.dumps({database: known[database]}, indent=1))


if __name__ == "__main__":
    main()
