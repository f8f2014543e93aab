"""The study: Optuna's record of trials in a database, which outlives whoever writes to it."""

import json
import warnings
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipelines.settings.schema import Metric
from pipelines.sweeping.settings import Pruner, Sampler, Sweep

FINAL, STARTS, FOLDER, REASON = "final", "tries", "place", "reason"
"""User attributes of a trial: counts although it failed; how often it was begun; its folder; why it failed."""


def open_study(
    name: str, storage: optuna.storages.RDBStorage, sweep: Sweep, metric: Metric, facts: dict[str, Any]
) -> optuna.Study:
    """The study ``name``, made if need be.

    Args:
        metric: the task's, which is the quality.
        facts: what all trials have in common; a study of others is refused, or replaced if nothing came of it.

    Raises:
        ValueError: where the study has trials with other facts.
    """
    # Of all objectives but the quality less is better.
    directions: Any = [metric.direction if name == "quality" else "minimize" for name in sweep.objectives]
    text = json.dumps(facts, sort_keys=True)
    if name in optuna.get_all_study_names(storage):
        check_facts(optuna.load_study(study_name=name, storage=storage), storage, text)
    study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([metric.monitor, *sweep.objectives[1:]])
    study.set_user_attr("facts", text)
    study.sampler = make_sampler(sweep.sampler, len(study.trials))
    study.pruner = make_pruner(sweep.pruner)
    return study


def check_facts(study: optuna.Study, storage: optuna.storages.RDBStorage, facts: str) -> None:
    """Delete a study of other facts that nothing came of, such as one that was mistyped.

    Raises:
        ValueError: where something did; names what differs.
    """
    known = study.user_attrs.get("facts", facts)
    if known == facts:
        return
    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    trials = study.get_trials(deepcopy=False)
    if not any(trial.state in over or (trial.state == TrialState.WAITING and STARTS in trial.user_attrs) for trial in trials):
        optuna.delete_study(study_name=study.study_name, storage=storage)
        return
    before, now = json.loads(known), json.loads(facts)
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    different = f"study {study.study_name} has trials with another {', '.join(other)}"
    raise ValueError(f"{different}: give the new sweep a file of another name")


def make_sampler(settings: Sampler, trials: int) -> optuna.samplers.BaseSampler:
    """The sampler; its seed moves on with the ``trials`` there are, so that a sweep that goes on does not repeat itself."""
    samplers = optuna.samplers
    kinds: dict[str, Any] = {
        "tpe": samplers.TPESampler,
        "gp": samplers.GPSampler,
        "cmaes": samplers.CmaEsSampler,
        "random": samplers.RandomSampler,
        "grid": samplers.RandomSampler,  # has nothing to choose: all of a grid waits in the study
    }
    return kinds[settings.name](seed=1000 * settings.seed + trials)


def make_pruner(settings: Pruner) -> optuna.pruners.BasePruner:
    if settings.name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=settings.startup_trials, n_warmup_steps=settings.warmup_steps)
    if settings.name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=max(settings.warmup_steps, 1))
    return optuna.pruners.NopPruner()


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that are over and count: complete, pruned, or failed by themselves; not those that somebody killed."""
    over = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state in over or (trial.state == TrialState.FAIL and FINAL in trial.user_attrs)]


def running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def waiting(study: optuna.Study) -> set[str]:
    """The folders of trials that wait to go on."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return {trial.user_attrs[FOLDER] for trial in trials if FOLDER in trial.user_attrs}
