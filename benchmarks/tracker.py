"""What a dashboard that fails adds to the wall time of a training: ``python -m benchmarks.tracker [--pairs 5]``.

The faults are those of ``tests/tracker_faults.py``. A small training that a healthy store follows and one that meets the fault
take turns, each in a process of its own and a folder of its own; the median of the differences is what the fault adds.
"""

import argparse
import importlib
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

from pipelines.runs.provenance import commit, hardware
from pipelines.settings.compose import compose
from pipelines.settings.places import PROJECT
from pipelines.training.launching import fork_server
from rnn_lightning.files import write_json

sys.path.insert(0, str(PROJECT / "tests"))
tracker_faults: Any = importlib.import_module("tracker_faults")
PAUSE = 0.02
"""Seconds that a step takes longer where a server dies in the middle of a training."""


class Trainings:
    """Trainings on one corpus, each in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.made = root, 0
        self.corpus = root / "corpus"
        self.corpus.mkdir()
        os.chdir(self.corpus)
        experiment = compose(tracker_faults.ADDING)
        corpus = experiment.task.corpus.build()
        corpus.fetch(experiment.raw())
        corpus.preprocess(experiment.raw(), experiment.processed())
        importlib.import_module("pipelines.runs.cards").note_corpus(experiment)
        self.store = f"sqlite:///{root}/mlflow.db"
        self.run(self.store)  # makes the store, and imports what is imported once

    def run(self, uri: str, target: str = "train", *more: Any, at: Callable[[], object] | None = None) -> float:
        """The seconds of a training; ``at`` is done while it stands still at its step, which is not counted."""
        self.made += 1
        place = self.root / str(self.made)
        place.mkdir()
        copytree(self.corpus / "data", place / "data")
        process = fork_server("tracker_faults").Process(target=getattr(tracker_faults, target), args=(place, uri, *more))
        began = time.monotonic()
        process.start()
        if at is not None:
            while not (place / "stopped").exists() and process.is_alive():
                time.sleep(0.005)
            stood = time.monotonic()
            at()
            began += time.monotonic() - stood
            (place / "on").touch()
        process.join()
        if process.exitcode:
            raise SystemExit(f"error: the training ended with exit code {process.exitcode}")
        return time.monotonic() - began


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


def locked(trainings: Trainings) -> float:
    """A store that another process holds for the whole training."""
    file = trainings.root / f"locked{trainings.made}.db"
    with closing(sqlite3.connect(trainings.root / "mlflow.db")) as whole, closing(sqlite3.connect(file)) as store:
        whole.backup(store)
        store.execute("begin exclusive")
        return trainings.run(f"sqlite:///{file}")


@contextmanager
def server(folder: Path) -> Iterator[Any]:
    """MLflow's server behind a relay."""
    port = free_port()
    store = ["--backend-store-uri", f"sqlite:///{folder}/served.db", "--artifacts-destination", str(folder / "files")]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.2)
        yield tracker_faults.Relay(port)
    finally:
        process.terminate()
        process.wait()


def faults(trainings: Trainings) -> dict[str, Callable[[], float]]:
    """By name, a training that meets the fault."""
    relay = tracker_faults.Relay
    silent = {
        "absent": lambda: f"http://127.0.0.1:{free_port()}",
        "answers 500": lambda: relay(answer=tracker_faults.ERROR).uri,
        "answers after 30 s": lambda: relay(answer=tracker_faults.ERROR, after=30).uri,
        "black hole": lambda: relay().uri,
    }
    found: dict[str, Callable[[], float]] = {name: lambda uri=uri: trainings.run(uri()) for name, uri in silent.items()}
    found["locked"] = lambda: locked(trainings)
    found["full"] = lambda: trainings.run(f"sqlite:///{trainings.root}/none{trainings.made}.db", "train_on_full_disk")
    return found


def differences(healthy: Callable[[], float], faulty: Callable[[], float], pairs: int) -> dict[str, Any]:
    """What the fault adds, over trainings in turn."""
    seconds = [(healthy(), faulty()) for _ in range(pairs)]
    added = [round(later - before, 2) for before, later in seconds]
    return {
        "added_seconds": statistics.median(added),
        "differences": added,
        "healthy_seconds": round(statistics.median(before for before, _ in seconds), 2),
        "load": round(os.getloadavg()[0], 1),
    }


def dying(trainings: Trainings, pairs: int, seed: int) -> dict[str, Any]:
    """A server that dies at a random step, against the same server that lives."""
    draws = random.Random(seed)
    folder = trainings.root / "served"
    folder.mkdir()
    with server(folder) as relay:

        def healthy() -> float:
            return trainings.run(relay.uri, "train", PAUSE, 0, at=lambda: None)

        def faulty() -> float:
            seconds = trainings.run(relay.uri, "train", PAUSE, draws.randrange(24), at=relay.die)
            relay.live()
            return seconds

        healthy()
        return differences(healthy, faulty, pairs)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.tracker", description=__doc__)
    arguments.add_argument("--pairs", type=int, default=5, help="of each fault")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracker-") as name:
        trainings = Trainings(Path(name))
        found = {}
        for fault, faulty in faults(trainings).items():
            found[fault] = differences(lambda: trainings.run(trainings.store), faulty, options.pairs)
            print(fault, found[fault], file=sys.stderr, flush=True)
        found["dies at a random step"] = dying(trainings, options.pairs, options.seed)
        os.chdir(PROJECT)
    command = f"python -m benchmarks.tracker --pairs {options.pairs}"
    origin = {"commit": commit(), "hardware": hardware("cpu"), "command": command}
    write_json(PROJECT / "benchmarks" / "tracker.json", found | origin)


if __name__ == "__main__":
    main()
