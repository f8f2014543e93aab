"""One training: from settings to a run folder, interrupted or not."""

import hashlib
import json
import logging
import os
import platform
import shlex
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch

from pipelines import tracking
from pipelines.composition import Experiment
from pipelines.publish import describe_task, run_tags
from pipelines.recorder import Recorder, peak_memory_mb
from pipelines.runs import read_json
from pipelines.tasks import read_card, read_task
from rnn_lightning import AtomicCheckpointIO, Durable, System, count_parameters, hidden_size_for
from rnn_lightning.recurrent import CELLS

ROOT = Path(__file__).resolve().parent.parent
CODE = ("src/rnn_lightning/*.py", "src/rnn_lightning/recurrent", "src/rnn_lightning/systems", "src/rnn_lightning/data")


def train_one(experiment: Experiment, seed: int) -> None:
    """Train one seed to the end, from where an earlier go of the same configuration, data and code left off.

    The run's folder appears when, and only when, all planned steps are made.
    """
    quieten()
    folder = experiment.run(seed)
    card = read_json(experiment.processed() / "card.json")
    facts = describe(experiment, seed, card["sha256"]["all"])
    work = Path("work") / f"{experiment.task_name}-{experiment.rnn_name}-{seed}-{key_of(facts)}"
    if not (work / "training.json").exists():
        facts |= fit(experiment, seed, card, work, facts)
        write_json(work / "training.json", facts)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(work, folder, ignore=shutil.ignore_patterns("*.tmp", "last.ckpt", "best.ckpt"), copy_function=os.link)


def fit(experiment: Experiment, seed: int, card: dict[str, Any], work: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Train in ``work``; returns what was measured."""
    settings, training = experiment.trainer, experiment.task.training
    torch.set_num_threads(settings.threads)
    torch.set_float32_matmul_precision(settings.products)
    data = experiment.task.data.build(folder=experiment.processed(), seed=seed, epochs=training.epochs)
    planned = len(data.train_dataloader())
    lightning.seed_everything(seed, verbose=False)
    system = build_system(experiment, card, planned)
    monitor = experiment.task.metric.name.replace("test/", "val/")
    durable = Durable(
        work,
        seed=seed,
        monitor=monitor,
        mode=experiment.task.metric.goal[:3],
        every_seconds=settings.every_seconds,
    )
    recorder = Recorder(work, name=run_name(experiment, seed), epochs=training.epochs, durable=durable)
    run_id = begin_tracking(experiment, seed, facts, card)
    trainer = lightning.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        precision=settings.precision,
        max_epochs=1,
        gradient_clip_val=training.clip or None,
        val_check_interval=training.validate_every or planned // training.epochs,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        callbacks=[durable, recorder],
        plugins=[AtomicCheckpointIO()],
        logger=tracking.lightning_logger(run_id),
        log_every_n_steps=50,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(system, data, ckpt_path=durable.last if durable.last.exists() else None, weights_only=True)
    if trainer.global_step != planned:
        raise RuntimeError(f"{run_name(experiment, seed)} ended after {trainer.global_step} of {planned} steps")
    keep_model(durable.best, work / "model.ckpt")
    return {
        "planned_steps": planned,
        "steps": trainer.global_step,
        "parameters": count_parameters(system),
        "seconds": round(durable.spent_seconds, 1),
        "units_per_second": round(recorder.units / recorder.seconds, 1),
        "peak_memory_mb": round(peak_memory_mb(settings.accelerator), 1),
        "hardware": hardware(settings.accelerator),
        "best_step": durable.best_step,
        "best_value": durable.best_value,
        "mlflow_run_id": run_id,
    }


def build_system(experiment: Experiment, card: dict[str, Any], planned: int) -> System:
    """The task's system around the architecture, at the task's number of parameters where it sets one."""
    task = experiment.task
    rnn = {**experiment.rnn, **task.rnn}
    told = dict(task.model.model_extra or {})
    more: dict[str, Any] = {}
    if card.get("vocabulary_size"):
        more["vocab_size"] = card["vocabulary_size"]
    if (told.get("schedule") or {}).get("name") == "cosine":
        more["schedule"] = {"T_max": planned, **told["schedule"]}
    if "hidden_size" not in rnn:
        if task.parameters is None:
            raise ValueError("either task.parameters (a budget) or rnn.hidden_size must be given")
        rnn["hidden_size"] = hidden_size_for(
            rnn["cell"], parameters=task.parameters, build=lambda size: task.model.build(rnn={**rnn, "hidden_size": size}, **more)
        )
    return task.model.build(rnn=rnn, **more)


def describe(experiment: Experiment, seed: int, data: str) -> dict[str, Any]:
    """What is known of a run before it begins."""
    cell = CELLS[experiment.rnn["cell"]] if experiment.rnn.get("cell") in CELLS else None
    if cell is None:
        raise ValueError(f"rnn.cell must be one of {sorted(CELLS)}, not {experiment.rnn.get('cell')!r}")
    return {
        "task": experiment.task_name,
        "rnn": experiment.rnn_name,
        "seed": seed,
        "label": cell.label,
        "backend": cell.backend,
        "unit": experiment.task.unit,
        "threads": experiment.trainer.threads,
        "precision": f"{experiment.trainer.precision}, {experiment.trainer.products} matrix products",
        "commit": commit(),
        "dvc_lock": digest(ROOT / "dvc.lock") if (ROOT / "dvc.lock").exists() else None,
        "data": data,
        "config": experiment.plain(seed),
        "command": shlex.join(["python", "-m", "pipelines.train", *experiment.overrides(seed)]),
    }


def begin_tracking(experiment: Experiment, seed: int, facts: dict[str, Any], card: dict[str, Any]) -> str:
    task = read_task(ROOT / "conf", experiment.task_name, card)
    describe_task(task)
    return tracking.start_run(
        experiment.run(seed),
        experiment=experiment.task_name,
        name=run_name(experiment, seed),
        config=facts["config"],
        tags=run_tags(experiment.task_name, facts),
    )


def run_name(experiment: Experiment, seed: int) -> str:
    return f"{experiment.task_name} {experiment.rnn_name} seed {seed}"


def key_of(facts: dict[str, Any]) -> str:
    """A short name for what decides the weights: configuration, data and code."""
    files = sorted(file for place in CODE for file in python_files(place))
    code = "".join(digest(file) for file in [*files, Path(__file__)])
    return hashlib.sha256(json.dumps([facts["config"], facts["data"], code], sort_keys=True).encode()).hexdigest()[:12]


def python_files(place: str) -> list[Path]:
    return list(ROOT.glob(place)) if place.endswith(".py") else list((ROOT / place).glob("*.py"))


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def keep_model(best: Path, file: Path) -> None:
    """The checkpoint without what only a training needs."""
    checkpoint = torch.load(best, map_location="cpu", weights_only=True)
    for name in ("optimizer_states", "lr_schedulers", "loops", "callbacks", "carried_state", "batches_per_epoch"):
        checkpoint.pop(name, None)
    AtomicCheckpointIO().save_checkpoint(checkpoint, file)


def write_json(file: Path, content: dict[str, Any]) -> None:
    beside = file.with_name(f".{file.name}.tmp")
    beside.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(beside, file)


def commit() -> str:
    """The commit of the working tree, with ``-dirty`` where it has changed since."""
    told = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def hardware(accelerator: str) -> str:
    if accelerator == "gpu":
        return torch.cuda.get_device_name()
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def quieten() -> None:
    """Keep Lightning's advertisements and known-harmless warnings out of the progress lines."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers",
        ".*ended before the epoch ended",
        ".*have passed in a `LightningDataModule`",
        ".*LeafSpec",
    ):
        warnings.filterwarnings("ignore", message)
