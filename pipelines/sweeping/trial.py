"""One trial, in a process of its own: a training with some values of its own, reported as it goes."""

import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import optuna
import psutil

from pipelines import tracking
from pipelines.runs.cards import card_of
from pipelines.runs.processes import start_time
from pipelines.runs.provenance import provenance, run_tags
from pipelines.settings.compose import compose
from pipelines.sweeping.settings import Pruner, assigned
from pipelines.sweeping.study import make_pruner, open_storage
from pipelines.training.launching import stop_with_parent
from pipelines.training.run import fit, quieten
from rnn_lightning.files import read_json, write_json
from rnn_lightning.systems.durable import LAST

OUTCOME, PROCESS = "outcome.json", "process.json"


class TrialSpec(NamedTuple):
    """What the process of a trial is told."""

    study: str
    storage: str
    trial_id: int
    number: int
    values: dict[str, Any]
    overrides: list[str]
    pruner: Pruner
    objectives: list[str]
    folder: Path
    parent_run: str
    experiment: str
    device: int | None


def run_trial(errand: TrialSpec) -> None:
    """Train as told; leaves in the folder what came of it, or nothing if it is killed."""
    stop_with_parent()
    own = os.getpid()
    write_json(errand.folder / PROCESS, {"pid": own, "born": start_time(own), "host": platform.node()})
    if errand.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(errand.device)
    quieten()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name=errand.study, storage=open_storage(errand.storage), pruner=make_pruner(errand.pruner))
    trial = optuna.Trial(study, errand.trial_id)
    try:
        outcome: dict[str, Any] = {"state": "complete", **_train(errand, trial)}
    except optuna.TrialPruned:
        outcome = {"state": "pruned"}
    except (ValueError, FloatingPointError, RuntimeError) as error:
        outcome = {"state": "failed", "reason": " ".join(str(error).split())[:500]}
    run_id = trial.user_attrs.get("run")
    if run_id is not None:
        tracking.set_tags(run_id, {"state": outcome["state"]})
        if outcome["state"] == "pruned":
            tracking.finish(run_id)
    write_json(errand.folder / OUTCOME, outcome)


def _train(errand: TrialSpec, trial: optuna.Trial) -> dict[str, Any]:
    experiment = compose([*errand.overrides, *(assigned(key, value) for key, value in errand.values.items())])
    (seed,) = experiment.all_seeds()
    card = card_of(experiment)
    facts = provenance(experiment, seed, card["sha256"]["all"])

    def begin() -> str:
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        device = f"gpu {seen}" if experiment.trainer.accelerator == "gpu" else "cpu"
        own = {"mlflow.parentRunId": errand.parent_run, "trial": str(errand.number), "device": device, "host": platform.node()}
        run_id = tracking.start_run(
            errand.folder,
            experiment=errand.experiment,
            name=f"trial {errand.number}",
            config=facts["config"],
            tags=run_tags(experiment.task_name, facts) | own,
        )
        trial.set_user_attr("run", run_id)
        return run_id

    monitor = experiment.task.metric.name.replace("test/", "val/")
    watching = [Reporter(trial, monitor)] if len(errand.objectives) == 1 else []
    measured = fit(experiment, seed, card, errand.folder, begin, name=f"trial {errand.number}", watching=watching)
    write_json(errand.folder / "training.json", facts | measured)
    found = {"quality": measured["best_value"], "parameters": measured["parameters"], "seconds": measured["seconds"]}
    return {"values": [found[each] for each in errand.objectives]}


class Reporter(lightning.Callback):
    """Tells the study every validation, and gives the trial up when the pruner says so."""

    def __init__(self, trial: optuna.Trial, monitor: str) -> None:
        self.trial, self.monitor = trial, monitor

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.trial.report(float(trainer.callback_metrics[self.monitor]), step=trainer.global_step)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def has_saved(folder: Path) -> bool:
    """Whether the process that worked in ``folder`` last has left a checkpoint there."""
    told, saved = folder / PROCESS, folder / LAST
    return told.exists() and saved.exists() and saved.stat().st_mtime > told.stat().st_mtime


def end_process(folder: Path) -> None:
    """End the process of this machine that works in ``folder``, if it still lives."""
    file = folder / PROCESS
    told: dict[str, Any] = read_json(file) if file.exists() else {"host": None}
    if told["host"] != platform.node():
        return
    try:
        process = psutil.Process(told["pid"])
        if start_time(process.pid) == told["born"]:
            process.kill()
            process.wait(30)
    except psutil.NoSuchProcess:
        pass
