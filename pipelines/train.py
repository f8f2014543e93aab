"""Stage: train one architecture on one task, every seed in a process of its own."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from pipelines.composition import Experiment, stage

PRELOADED = ["pipelines.training", "mlflow"]
"""What costs seconds to import: once for all seeds, in the server that they are forked from."""


def train(experiment: Experiment) -> None:
    """Train ``experiment.workers`` seeds at a time; a seed that fails does not keep the others from finishing.

    Raises:
        ValueError: naming each seed that failed, and why.
    """
    seeds = experiment.all_seeds()
    if len(seeds) == 1:
        train_seed(experiment, seeds[0])
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(experiment.trainer.threads))
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(experiment.workers, mp_context=context, max_tasks_per_child=1) as pool:
        jobs = {seed: pool.submit(train_seed, experiment, seed) for seed in seeds}
    failures = [f"seed {seed}: {job.exception()}" for seed, job in jobs.items() if job.exception()]
    if failures:
        raise ValueError("\n".join(failures))


def train_seed(experiment: Experiment, seed: int) -> None:
    """Train one seed in this process."""
    from pipelines.training import train_one

    train_one(experiment, seed)


if __name__ == "__main__":
    stage(train)
