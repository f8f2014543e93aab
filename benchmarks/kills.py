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

from pipelines.runs.provenance import commit, hardware
from pipelines.settings.places import PROJECT
from pipelines.sweeping.runner import MAX_STARTS
from pipelines.sweeping.study import FINAL, FOLDER, REASON, STARTS
from rnn_lightning.files import write_json

TASK = ["task=adding", "rnn=gru", "task.corpus.steps=10", "task.parameters=600", "trainer.checkpoint_seconds=0"]
TASK += [f"task.corpus.rows.{split}={rows}" for split, rows in {"train": 400, "validation": 40, "test": 40}.items()]
TASK += ["task.training.epochs=8", "task.training.validate_every=20", "task.data.batch_size=20"]
SPACE = "space:\n  task.model.optimizer.lr: {low: 0.001, high: 0.02, log: true}\n  task.training.clip: {low: 0.5, high: 5.0}\n"
PRUNER = "pruner: {name: median, startup_trials: 2}\n"
OVER = ("complete", "pruned", "given up")
TRIALS, PATIENCE, BETWEEN, MOST = 6, 900.0, (1.0, 5.0), 10
"""Trials of a sweep, seconds that it may take, those between two kills, and how many kills it has at most."""


class Store:
    """Two databases, one for studies and one for runs, and their integrity checks."""

    def __init__(self, sweeps: str, runs: str, place: Path) -> None:
        self.sweeps, self.runs, self.place = sweeps, runs, place

    def integrity(self) -> dict[str, str]:
        """The output of each database's own integrity check: ``ok``."""
        if self.sweeps.startswith("sqlite"):
            return {url: _check_sqlite(Path(url.removeprefix("sqlite:///"))) for url in (self.sweeps, self.runs)}
        return {url: _check_postgres(url) for url in (self.sweeps, self.runs)}


def _check_sqlite(file: Path) -> str:
    with sqlite3.connect(file) as opened:
        return str(opened.execute("pragma integrity_check").fetchone()[0])


def _check_postgres(url: str) -> str:
    database = url.replace("+psycopg2", "")
    done = subprocess.run(
        [_binary("pg_amcheck"), "--install-missing", "--heapallindexed", database], capture_output=True, text=True, check=False
    )
    return "ok" if done.returncode == 0 and not done.stdout.strip() else (done.stdout + done.stderr).strip()


def _binary(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    binary = str(installed[-1]) if installed else shutil.which(name)
    if binary is None:
        raise SystemExit(f"error: {name} of PostgreSQL is not here: apt-get install postgresql")
    return binary


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
    options = f"-k {data} -p {port} -c listen_addresses= -c fsync=off"

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

    run(_binary("initdb"), "-D", f"{data}/base", "-U", "sweeper", "-A", "trust")
    run(_binary("pg_ctl"), "-D", f"{data}/base", "-o", options, "-l", f"{data}/log", "-w", "start")
    try:
        names = ("sweeps", "runs")
        for name in names:
            run(_binary("createdb"), "-h", str(data), "-p", str(port), "-U", "sweeper", name)
        sweeps, runs = (f"postgresql+psycopg2://sweeper@/{name}?host={data}&port={port}" for name in names)
        yield Store(sweeps, runs, place)
    finally:
        run(_binary("pg_ctl"), "-D", f"{data}/base", "-m", "fast", "stop")


def environment(store: Store) -> dict[str, str]:
    """The environment of commands that run in the copy and log to the store."""
    variables = {"PYTHONPATH": f"{store.place}:{store.place}/src", "MLFLOW_TRACKING_URI": store.runs, "OMP_NUM_THREADS": "1"}
    return os.environ | variables


def prepare(place: Path, store: Store) -> None:
    """Copy the stages to ``place``, and make a small corpus there."""
    for part in ("pipelines", "conf", "src"):
        shutil.copytree(PROJECT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    for stage in ("fetch", "preprocess"):
        subprocess.run([sys.executable, "-m", f"pipelines.{stage}", *TASK], cwd=place, env=environment(store), check=True)


def processes(folder: Path) -> list[int]:
    """The process ids of a sweep's running trials."""
    open_ones = [file for file in folder.glob("*/process.json") if not (file.parent / "outcome.json").exists()]
    pids = []
    for file in open_ones:
        try:
            pids.append(int(json.loads(file.read_text())["pid"]))
        except (ValueError, KeyError):
            continue
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


class Sweep:
    """A sweep that is started again whenever its runner is killed."""

    def __init__(self, store: Store, name: str, workers: int) -> None:
        (store.place / f"conf/sweep/{name}.yaml").write_text(SPACE + PRUNER)
        arguments = [f"sweep={name}", f"trials={TRIALS}", f"workers={workers}", f"storage={store.sweeps}", *TASK]
        self.command = [sys.executable, "-m", "pipelines.sweep", *arguments]
        self.store, self.name, self.log = store, name, store.place / f"{name}.log"
        self.killed: Counter[str] = Counter()
        self.start()

    def start(self) -> None:
        """Start the command, again or for the first time."""
        out = self.log.open("a")
        self.process = subprocess.Popen(
            self.command, cwd=self.store.place, env=environment(self.store), stdout=out, stderr=subprocess.STDOUT
        )

    def strike(self, draws: random.Random) -> None:
        """Kill one of its processes at random, if a trial is running; start a killed runner again."""
        running = processes(self.store.place / f"work/sweeps/adding-gru-{self.name}")
        if not running or self.process.poll() is not None:
            return
        victim = draws.choice([*running, self.process.pid])
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.killed["runner" if victim == self.process.pid else "trial"] += 1
        if victim == self.process.pid:
            self.process.wait()
            self.start()

    def fail(self, what: str) -> SystemExit:
        """The error that ends the benchmark, with the end of the sweep's log."""
        end_of_log = "\n".join(self.log.read_text().splitlines()[-5:])
        return SystemExit(f"error: sweep {self.name} {what}:\n{end_of_log}")


def one_sweep(store: Store, name: str, workers: int, kills: int, draws: random.Random) -> dict[str, int]:
    """Run a sweep and kill its processes up to ``kills`` times; the number of killed ones by kind."""
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
    """The states of a sweep's trials; ``given up`` are those that were killed as often as a trial may be before it has saved.

    Raises:
        SystemExit: unless exactly as many as were asked for are over, none of them twice and none left open.
    """
    trials = optuna.load_study(study_name=f"adding-gru-{name}", storage=store.sweeps).trials
    states = {trial.number: "given up" if FINAL in trial.user_attrs else trial.state.name.lower() for trial in trials}
    over = [trial for trial in trials if states[trial.number] in OVER]
    places = {trial.user_attrs[FOLDER] for trial in over}
    found = dict(Counter(states.values()))
    early = [trial for trial in over if FINAL in trial.user_attrs and trial.user_attrs[STARTS] < MAX_STARTS]
    if len(over) != TRIALS or len(places) != TRIALS or set(found) - {*OVER, "fail"} or early:
        reasons = Counter(trial.user_attrs.get(REASON) for trial in trials)
        raise SystemExit(f"error: sweep {name}: {found}, in {len(places)} folders; {dict(reasons)}")
    return found


def study(database: str, kills: int, seed: int) -> dict[str, Any]:
    """Run sweeps until ``kills`` processes have been killed; the figures of them all."""
    draws, total, states, sweeps = random.Random(seed), Counter[str](), Counter[str](), 0
    workers: list[int] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, {"sqlite": sqlite, "postgresql": postgresql}[database](Path(name)) as store:
        prepare(Path(name), store)
        while total.total() < kills:
            workers.append(2 + sweeps % 3)
            sweeps += 1
            total.update(one_sweep(store, f"kills{sweeps}", workers[-1], min(kills - total.total(), MOST), draws))
            states.update(check_trials(store, f"kills{sweeps}"))
            progress = f"{database}: {dict(total)} killed in {sweeps} sweeps; {dict(states)}"
            print(f"{progress}; {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        integrity = sorted(set(store.integrity().values()))
    if integrity != ["ok"]:
        raise SystemExit(f"error: {database}: {integrity}")
    settings = {"sweeps": sweeps, "trials_each": TRIALS, "workers": workers}
    found = {"killed": dict(total), "states": dict(states), "integrity": "ok"}
    return settings | found | {"seconds": round(time.monotonic() - began)}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    arguments.add_argument("--kills", type=int, default=50, help="how many, in each database")
    arguments.add_argument("--database", choices=("sqlite", "postgresql"), action="append", help="default: both")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    file = PROJECT / "benchmarks" / "kills.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    for database in options.database or ["sqlite", "postgresql"]:
        figures = study(database, options.kills, options.seed)
        origin = {
            "commit": commit(),
            "hardware": hardware("cpu"),
            "command": f"python -m benchmarks.kills --kills {options.kills}",
        }
        known[database] = figures | origin
        write_json(file, known)
        print(json.dumps({database: known[database]}, indent=1))


if __name__ == "__main__":
    main()
