"""What a training leaves beside its weights: the curves as a tidy table, its cost, and a line on how it goes."""

import csv
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from rnn_lightning.processes import all_reduce_sum, rank_and_world_size
from rnn_lightning.sequences import Batch
from rnn_lightning.systems import Durable

COLUMNS = ("step", "epoch", "seconds", "metric", "value")
SECONDS_BETWEEN_LINES = 5.0


class Recorder(Callback):
    """Appends every validation's metrics to ``curves.csv`` and counts what was read, in ``units_in`` a batch, in which time.

    A resumed run drops the rows that it will make again. ``seconds`` is the training's time without validation. Of several
    processes the first writes; each counts what it reads itself, until at the end ``units`` is what all have read.
    """

    def __init__(self, folder: Path, *, name: str, epochs: int, durable: Durable, units_in: Callable[[Batch], int]) -> None:
        self.file, self.name, self.epochs, self.durable = folder / "curves.csv", name, epochs, durable
        self.units_in = units_in
        self.units = 0
        self.seconds = 0.0
        self._began = self._said = 0.0
        self._first_step = 0

    def state_dict(self) -> dict[str, Any]:
        return {"units": all_reduce_sum(self.units), "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.units, self.seconds = (state_dict["units"] if rank_and_world_size()[0] == 0 else 0), state_dict["seconds"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._first_step, self._began = trainer.global_step, time.monotonic()
        if trainer.is_global_zero:
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

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        self._step_began = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.monotonic()
        self.seconds += now - self._step_began
        self.units += self.units_in(batch)
        if trainer.is_global_zero and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._say(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        epoch = trainer.global_step / (trainer.num_training_batches / self.epochs)
        with self.file.open("a", newline="") as out:
            for metric, value in validated(trainer):
                seconds = round(self.durable.seconds(), 2)
                csv.writer(out).writerow([trainer.global_step, round(epoch, 4), seconds, metric, value])
        self._say(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.units = all_reduce_sum(self.units)

    def _say(self, trainer: lightning.Trainer) -> None:
        step, planned = trainer.global_step, trainer.num_training_batches
        spent = time.monotonic() - self._began
        left = spent / max(step - self._first_step, 1) * (planned - step)
        shown = "".join(f"  {name} {value:.4g}" for name, value in validated(trainer))
        print(f"{self.name}: step {step}/{planned}, {left:.0f} s left{shown}", file=sys.stderr, flush=True)


def validated(trainer: lightning.Trainer) -> list[tuple[str, float]]:
    """The metrics of the last validation by name; those of single steps are the logger's."""
    return [(name, float(value)) for name, value in sorted(trainer.callback_metrics.items()) if not name.endswith("_step")]


def peak_memory_mb(accelerator: str) -> float:
    """The most memory that this process has held so far, on the device that it trains on, in MB."""
    if accelerator == "gpu":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
