"""Search for hyperparameters: ``python -m pipelines.sweep sweep=tagging task=ewt rnn=lstm trials=20 workers=2``.

``conf/sweep/NAME.yaml`` says what may vary. Each trial is a training in a process of its own, on a device or a share of the
processor of its own. What kills a trial costs that trial's work since its last checkpoint, and it is taken up again; the same
command goes on with a sweep that was interrupted, and never makes more than the trials that were asked for.
"""

import sys

from pipelines.runs.cards import card_of
from pipelines.settings.compose import CONF, compose, exit_on_user_error
from pipelines.settings.places import PROJECT
from pipelines.settings.schema import Experiment
from pipelines.settings.usage import keys_of, keys_of_experiment


def sweep(arguments: list[str]) -> None:
    """Make the trials, then keep the best: ``conf/tuned/TASK-RNN.yaml``, the registry, tables and figures in ``reports/``."""
    from pipelines.sweeping.arguments import read_arguments
    from pipelines.sweeping.runner import SweepRunner
    from pipelines.sweeping.settings import check_space, read_sweep

    options = read_arguments(arguments)
    if CONF.parent != PROJECT:
        raise ValueError("a sweep keeps what it finds in conf/tuned of this folder, which has no conf/: give `rnn init` first")
    settings = read_sweep(options.sweep)
    base = ["tuned=none", *options.overrides]  # what an earlier sweep found decides nothing here
    check_space(settings, options.sweep, base)
    experiment = compose(base)
    check_one_seed(experiment)
    with SweepRunner(options, settings, experiment, base) as runner:
        runner.run()
        for line in runner.keep():
            print(line)


def check_one_seed(experiment: Experiment) -> None:
    """Refuse several seeds and several processes: a trial is one training in one process.

    Raises:
        ValueError: where the command line asks for more, or the corpus is missing or another one.
    """
    if experiment.trainer.strategy == "ddp":
        raise ValueError("a trial trains in one process: give a trainer with strategy auto, not ddp")
    if len(experiment.all_seeds()) != 1:
        raise ValueError(f"a trial trains one seed, not {experiment.seeds}: give seed=")
    card_of(experiment)


def all_keys() -> dict[str, str]:
    """The keys of the sweep, and of the experiment."""
    from pipelines.sweeping.arguments import SweepArguments

    own = {key: allowed for key, allowed in keys_of(SweepArguments).items() if key != "overrides"}
    return own | keys_of_experiment(CONF)


if __name__ == "__main__":
    exit_on_user_error(lambda: sweep(sys.argv[1:]), keys=all_keys)
