"""What a training leaves beside its weights: the curves as a tidy table, its cost, and a line on how it goes."""

import csv
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import psutil
import torch
from lightning.pytorch.callbacks import Callback

from pipelines import tracking
from pipelines.display.progress import Progress
from pipelines.kinds import kind_of
from pipelines.settings.schema import Experiment
from pipelines.training.loggers import Loggers
from pipelines.training.signals import Point
from rnn_lightning.processes import all_reduce_sum, rank_and_world_size
from rnn_lightning.sequences import Batch
from rnn_lightning.systems import Durable

COLUMNS = ("step", "epoch", "seconds", "metric", "value")


class Recorder(Callback):
    """Appends every validation's metrics to ``curves.csv`` and counts what was read, in the units of the task, in which time.
    The loggers of the settings get the same points.

    A resumed run drops the rows that it will make again. ``seconds`` is the training's time without validation. Of several
    processes the first writes; each counts what it reads itself, until at the end ``units`` is what all have read.
    """

    def __init__(self, experiment: Experiment, seed: int, folder: Path, *, progress: Progress, durable: Durable) -> None:
        self.file, self.progress, self.durable = folder / "curves.csv", progress, durable
        self.epochs, self.units_in = experiment.task.training.epochs, kind_of(experiment).units_in
        self.loggers = Loggers(experiment, seed)
        self.units = 0
        self.seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"units": all_reduce_sum(self.units), "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.units, self.seconds = (state_dict["units"] if rank_and_world_size()[0] == 0 else 0), state_dict["seconds"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._per_epoch = trainer.num_training_batches / trainer.accumulate_grad_batches / self.epochs
        if trainer.is_global_zero:
            psutil.cpu_percent()  # what is told is the mean since the call before
            self.progress.begin(trainer.global_step)
            self._begin_table(trainer)

    def _begin_table(self, trainer: lightning.Trainer) -> None:
        """Write the heading, and the rows of an earlier go up to this step."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        kept: list[Any] = []
        if self.file.exists() and trainer.global_step:
            with self.file.open(newline="") as lines:
                kept = [row for row in csv.DictReader(lines) if row["value"] and int(row["step"]) <= trainer.global_step]
        with self.file.open("w", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        self.loggers.begin([(row["metric"], int(row["step"]), float(row["value"])) for row in kept])

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        self._step_began = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self.seconds += time.monotonic() - self._step_began
        self.units += self.units_in(batch)
        if trainer.is_global_zero:
            self.progress.reach(trainer.global_step)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        self._write([(metric, trainer.global_step, value) for metric, value in validated(trainer)])
        self.progress.reach(trainer.global_step, shown(trainer))

    def write_signals(self, run: str, points: Sequence[Point]) -> None:
        """Add what `Signals` saw to the table, and to the dashboard's ``run``, there with the use of the machine."""
        self._write(points)
        tracking.log_curves(run, [*points, *machine_use(points[-1][1])])

    def _write(self, points: Sequence[Point]) -> None:
        self.loggers.log(points)
        seconds = round(self.durable.seconds(), 2)
        with self.file.open("a", newline="") as out:
            for metric, step, value in points:
                csv.writer(out).writerow([step, round(step / self._per_epoch, 4), seconds, metric, value])

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.units = all_reduce_sum(self.units)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.loggers.end()


def shown(trainer: lightning.Trainer) -> str:
    """The metrics of the last validation in words."""
    return "  ".join(f"{name} {value:.4g}" for name, value in validated(trainer))


def validated(trainer: lightning.Trainer) -> list[tuple[str, float]]:
    """The metrics of the last validation by name; those of single steps are the logger's."""
    return [(name, float(value)) for name, value in sorted(trainer.callback_metrics.items()) if not name.endswith("_step")]


def machine_use(step: int) -> list[Point]:
    """The use of processors since the last call, and of memory, of the whole machine, as MLflow's page of system metrics has
    them."""
    memory = psutil.virtual_memory()
    used = {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": round(memory.used / 1e6, 1),
        "system_memory_usage_percentage": memory.percent,
    }
    return [(f"system/{name}", step, value) for name, value in used.items()]


def peak_memory_mb(accelerator: str) -> float:
    """The most memory that this process has held so far, on the device that it trains on, in MB."""
    if accelerator == "gpu":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
