"""The overhead of a sweep beside its trainings: ``python -m benchmarks.sweeps`` writes benchmarks/sweeps.json.

Trials of about two seconds run one at a time, then four at a time, and once more in a study that has a thousand trials already.
Of each trial: its process's life less the training itself, before and after it. Of each sweep: the time when no trial was at
work. Imports are made once, by the server that trials are forked from, and are not in these figures.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import psutil
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from benchmarks.kills import SPACE, TASK, Store, environment, prepare, sqlite
from benchmarks.timing import timed
from pipelines.runs.provenance import commit, hardware
from pipelines.settings.places import PROJECT
from pipelines.sweeping.settings import Sampler
from pipelines.sweeping.storage import open_storage
from pipelines.sweeping.study import make_sampler
from rnn_lightning.files import write_json

PRUNER = "pruner: {name: none}\n"
MANY, ASKED = 1000, 20
EPOCHS = ["task.training.epochs=9", "task.training.validate_every=90"]


def sweep(store: Store, name: str, *, trials: int, workers: int) -> dict[str, Any]:
    """Run a sweep; returns what its trials cost."""
    began = time.time()
    (store.place / f"conf/sweep/{name}.yaml").write_text(SPACE + PRUNER)
    arguments = [f"sweep={name}", f"trials={trials}", f"workers={workers}", f"storage={store.sweeps}", "trainer.threads=1"]
    command = [sys.executable, "-m", "pipelines.sweep", *arguments, *TASK, *EPOCHS]
    subprocess.run(command, cwd=store.place, env=environment(store), check=True)
    return costs(store.place / f"work/sweeps/adding-gru-{name}", workers, began)


def costs(folder: Path, workers: int, since: float) -> dict[str, Any]:
    """Seconds of the trials in ``folder`` that began after ``since``, and of what was between them."""
    lives = []
    for training in folder.glob("*/training.json"):
        started = (training.parent / "process.json").stat().st_mtime
        if started > since:
            ended = (training.parent / "outcome.json").stat().st_mtime
            lives.append((started, ended, json.loads(training.read_text())["seconds"]))
    span = max(end for _, end, _ in lives) - min(begin for begin, _, _ in lives)
    busy = sum(end - begin for begin, end, _ in lives)
    return {
        "workers": workers,
        "trials": len(lives),
        "training_seconds": round(median(training for *_, training in lives), 2),
        "overhead_seconds": round(median(end - begin - training for begin, end, training in lives), 2),
        "trials_per_minute": round(60 * len(lives) / span, 1),
        "share_without_a_trial": round(1 - busy / span, 4) if workers == 1 else None,
    }


def fill(store: Store, name: str) -> None:
    """A thousand complete trials in the study of sweep ``name``, none of them the best."""
    draws, spaces = random.Random(1), distributions()
    study = optuna.load_study(study_name=f"adding-gru-{name}", storage=open_storage(store.sweeps))
    points = [{key: draws.uniform(space.low, space.high) for key, space in spaces.items()} for _ in range(MANY)]
    study.add_trials([create_trial(params=point, distributions=dict(spaces), value=1 + draws.random()) for point in points])


def distributions() -> dict[str, FloatDistribution]:
    """The search space of `SPACE`."""
    return {
        "task.model.optimizer.lr": FloatDistribution(0.001, 0.02, log=True),
        "task.training.clip": FloatDistribution(0.5, 5.0),
    }


def seconds_to_ask(store: Store, name: str) -> list[float]:
    """The seconds that storage and sampler take for each of `ASKED` further trials."""
    study = optuna.load_study(study_name=f"adding-gru-{name}", storage=open_storage(store.sweeps))
    study.sampler = make_sampler(Sampler(), MANY)
    taken = []
    for _ in range(ASKED):
        trial, seconds = timed(lambda: study.ask(fixed_distributions=dict(distributions())))
        taken.append(seconds)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return taken


def main() -> None:
    load = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, sqlite(Path(name)) as store:
        prepare(Path(name), store)
        figures = {
            "one": sweep(store, "one", trials=8, workers=1),
            "four": sweep(store, "four", trials=16, workers=4),
        }
        sweep(store, "many", trials=1, workers=1)
        fill(store, "many")
        figures["after_a_thousand"] = sweep(store, "many", trials=MANY + 5, workers=1)
        taken = seconds_to_ask(store, "many")
    results = {
        **figures,
        "ask_after_a_thousand_ms": {
            "first, which reads them all": round(1000 * taken[0], 1),
            "median of the others": round(1000 * median(taken[1:]), 1),
            "worst of the others": round(1000 * max(taken[1:]), 1),
        },
        "load_before": round(load, 2),
        "hardware": hardware("cpu"),
        "commit": commit(),
        "command": "python -m benchmarks.sweeps",
    }
    write_json(PROJECT / "benchmarks" / "sweeps.json", results)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
