"""One trial, in a process of its own: a training with some values of its own, reported as it goes."""

import os
import platform
import sys
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
from pipelines.sweeping.storage import open_storage
from pipelines.sweeping.study import make_pruner
from pipelines.training.launching import stop_with_parent
from pipelines.training.run import fit
from pipelines.training.trainers import quieten
from rnn_lightning.files import read_json, write_json
from rnn_lightning.systems.durable import LAST

OUTCOME, PROCESS = "outcome.json", "process.json"


class TrialSpec(NamedTuple):
    """The arguments of a trial's process."""

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


def run_trial(spec: TrialSpec) -> None:
    """Train one trial; its folder then holds the outcome, or none if the process is killed, or a line says why it stops."""
    stop_with_parent()
    try:
        _run(spec)
    except (optuna.exceptions.UpdateFinishedTrialError, OSError) as error:  # taken up elsewhere, or to be taken up again
        print(f"trial {spec.number} stops: {error}", file=sys.stderr)


def _run(spec: TrialSpec) -> None:
    own = os.getpid()
    write_json(spec.folder / PROCESS, {"pid": own, "born": start_time(own), "host": platform.node()})
    if spec.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(spec.device)
    quieten()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name=spec.study, storage=open_storage(spec.storage), pruner=make_pruner(spec.pruner))
    trial = optuna.Trial(study, spec.trial_id)
    try:
        outcome: dict[str, Any] = {"state": "complete", **_train(spec, trial)}
    except optuna.TrialPruned:
        outcome = {"state": "pruned"}
    except optuna.exceptions.UpdateFinishedTrialError:
        raise
    except (ValueError, FloatingPointError, RuntimeError) as error:
        outcome = {"state": "failed", "reason": " ".join(str(error).split())[:500]}
    run_id = trial.user_attrs.get("run")
    if run_id is not None:
        tracking.set_tags(run_id, {"state": outcome["state"]})
        if outcome["state"] == "pruned":
            tracking.finish(run_id)
        tracking.flush()
    write_json(spec.folder / OUTCOME, outcome)


def _train(spec: TrialSpec, trial: optuna.Trial) -> dict[str, Any]:
    experiment = compose([*spec.overrides, *(assigned(key, value) for key, value in spec.values.items())])
    (seed,) = experiment.all_seeds()
    card = card_of(experiment)
    facts = provenance(experiment, seed, card["sha256"]["all"])

    def begin() -> str:
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        device = f"gpu {seen}" if experiment.trainer.accelerator == "gpu" else "cpu"
        own = {"trial": str(spec.number), "device": device, "host": platform.node()}
        run_id = tracking.start_run(
            spec.folder,
            experiment=spec.experiment,
            name=f"trial {spec.number}",
            config=facts["config"],
            tags=run_tags(experiment.task_name, facts) | own,
            parent=spec.parent_run,
        )
        trial.set_user_attr("run", run_id)
        return run_id

    monitor = experiment.task.metric.monitor
    watching = [Reporter(trial, monitor)] if len(spec.objectives) == 1 else []
    measured = fit(experiment, seed, card, spec.folder, begin, name=f"trial {spec.number}", watching=watching)
    write_json(spec.folder / "training.json", facts | measured)
    values = {"quality": measured["best_value"], "parameters": measured["parameters"], "seconds": measured["seconds"]}
    return {"values": [values[objective] for objective in spec.objectives]}


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
    begun, saved = folder / PROCESS, folder / LAST
    return begun.exists() and saved.exists() and saved.stat().st_mtime > begun.stat().st_mtime


def end_process(folder: Path) -> None:
    """End the process of this machine that works in ``folder``, if it still lives."""
    file = folder / PROCESS
    noted: dict[str, Any] = read_json(file) if file.exists() else {"host": None}
    if noted["host"] != platform.node():
        return
    try:
        process = psutil.Process(noted["pid"])
        if start_time(process.pid) == noted["born"]:
            process.kill()
            process.wait(30)
    except psutil.NoSuchProcess:
        pass
