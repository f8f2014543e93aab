"""Stage: train one architecture on one task, every seed in a process of its own, or several."""

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from subprocess import Popen

from pipelines.composition import Experiment, stage

PRELOADED = ["pipelines.training", "rnn_lightning.data", "hydra._internal.hydra", "alembic.command"]
PRELOADED += ["mlflow.tracing", "mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.dialects.sqlite"]
"""What costs seconds to import: once for all seeds, in the server that they are forked from."""
STOPPING = (signal.SIGTERM, signal.SIGINT)


def train(experiment: Experiment) -> None:
    """Train ``experiment.workers`` seeds at a time; a seed that fails does not keep the others from finishing.

    Raises:
        ValueError: naming each seed that failed, and why.
    """
    seeds = experiment.all_seeds()
    if len(seeds) == 1:
        train_seed(experiment, seeds[0])
        return
    if experiment.trainer.strategy == "ddp":
        failures = [f"seed {seed}: see above" for seed in seeds if train_by_command(experiment, seed)]
    else:
        failures = train_side_by_side(experiment, seeds)
    if failures:
        raise ValueError("\n".join(failures))


def train_side_by_side(experiment: Experiment, seeds: list[int]) -> list[str]:
    """Train each seed in a process of its own; returns why some failed."""
    os.environ.setdefault("OMP_NUM_THREADS", str(experiment.trainer.threads))
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(experiment.workers, mp_context=context, max_tasks_per_child=1) as pool:
        jobs = {seed: pool.submit(train_beside_others, experiment, seed) for seed in seeds}
    return [f"seed {seed}: {job.exception()}" for seed, job in jobs.items() if job.exception()]


def train_by_command(experiment: Experiment, seed: int) -> int:
    """Train one seed by a command of its own, which Lightning repeats for every further process; returns its exit code.

    Raises:
        SystemExit: where it was told to stop.
    """
    with Popen([sys.executable, "-m", "pipelines.train", *experiment.overrides(seed)]) as child:
        handlers = {number: signal.signal(number, lambda number, _: child.send_signal(number)) for number in STOPPING}
        code = child.wait()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if code - 128 in STOPPING:
        raise SystemExit(code)
    return code


def stop_with_parent() -> None:
    """Save and end this process when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def train_beside_others(experiment: Experiment, seed: int) -> None:
    """Train one seed in a process that stops, and saves, with the one that asked for it."""
    stop_with_parent()
    train_seed(experiment, seed)


def train_seed(experiment: Experiment, seed: int) -> None:
    """Train one seed in this process."""
    from pipelines.training import train_one

    train_one(experiment, seed)


if __name__ == "__main__":
    stage(train)
