"""Stage: train one architecture on one task, every seed in a process of its own, or several.

``python -m pipelines.train task=dates rnn=gru seed=1`` after ``pipelines.preprocess``; ``... seeds=3 task.training.epochs=5``
trains the seeds 1 to 3 with another number of epochs. Then ``pipelines.evaluate`` with the same settings.
"""

import importlib
import os
import sys

from pipelines.runs.done import is_trained, said_of_trained
from pipelines.settings.compose import run_stage
from pipelines.settings.schema import Experiment
from pipelines.settings.tuned import said_of_tuned
from pipelines.training.launching import train_by_command, train_seed, train_side_by_side


def train(experiment: Experiment) -> None:
    """Train ``experiment.workers`` seeds at a time; a seed that fails does not keep the others from finishing.

    Raises:
        ValueError: naming each seed that failed, and why.
    """
    seeds = experiment.all_seeds()
    if "LOCAL_RANK" not in os.environ:  # else the first process says it
        say_of_tuned(experiment)
    if len(seeds) == 1:
        train_seed(experiment, seeds[0])
        return
    if experiment.trainer.strategy == "ddp":
        failures = [f"seed {seed}: see above" for seed in seeds if train_by_command(experiment, seed)]
    else:
        failures = train_side_by_side(experiment, seeds)
    if failures:
        raise ValueError("\n".join(failures))


def say_of_tuned(experiment: Experiment) -> None:
    """Say on stderr which tuned values the experiment takes up."""
    for line in said_of_tuned(experiment):
        print(line, file=sys.stderr, flush=True)


def all_trained(experiment: Experiment) -> bool:
    """Whether every seed is trained already, which it then says."""
    seeds = experiment.all_seeds()
    if "LOCAL_RANK" in os.environ or not all(is_trained(experiment, seed) for seed in seeds):
        return False
    say_of_tuned(experiment)
    for seed in seeds:
        print(said_of_trained(experiment, seed))
        if experiment.trainer.loggers:
            importlib.import_module("pipelines.training.loggers").write_again(experiment, seed)
    return True


if __name__ == "__main__":
    run_stage(train, has_nothing_to_do=all_trained)
