"""Stage: train one architecture on one task, every seed in a process of its own."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from pipelines import tracking
from pipelines.composition import Experiment, stage

PRELOADED = ["pipelines.training", "mlflow"]


def train(experiment: Experiment) -> None:
    """Train ``experiment.workers`` seeds at a time; a seed that fails does not keep the others from finishing."""
    from pipelines.training import train_one

    seeds = experiment.all_seeds()
    if len(seeds) == 1:
        train_one(experiment, seeds[0])
        return
    tracking.open_store()
    os.environ.setdefault("OMP_NUM_THREADS", str(experiment.trainer.threads))
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)  # the imports cost seconds: once, not once a seed
    with ProcessPoolExecutor(experiment.workers, mp_context=context, max_tasks_per_child=1) as pool:
        jobs = {seed: pool.submit(train_one, experiment, seed) for seed in seeds}
    failures = [f"seed {seed}: {job.exception()}" for seed, job in jobs.items() if job.exception()]
    if failures:
        raise ValueError("\n".join(failures))


if __name__ == "__main__":
    stage(train)
