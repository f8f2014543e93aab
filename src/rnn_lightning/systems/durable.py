"""Training that a kill does not harm: what is resumed ends bit-identical to what was never interrupted.

Everything random is drawn from (seed, step), the order of batches is a function of (seed, epoch), and the place in it one of
the step: so a checkpoint needs weights, optimiser, schedule, the carried state and one number, and no generator's state.
"""

import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn

from ..checks import check_choice, check_counts, check_number, shown
from ..models.checkpoints import check_checkpoint
from ..processes import all_reduce_max
from ..progress import epoch_and_batch

LAST, BEST, PREVIOUS = "last.ckpt", "best.ckpt", "previous.ckpt"


class Durable(Callback):
    """Saves ``last.ckpt`` on schedule and ``best.ckpt`` by a metric, and makes the resumed run equal the uninterrupted one.

    The ``last.ckpt`` before is kept as ``previous.ckpt``, to which `resumable` goes back where the newer one is damaged.

    Needs ``AtomicCheckpointIO`` among the Trainer's plugins, and data modules of this package. Saves fall between two steps;
    the step after a validation is left out, because Lightning would repeat or skip what belongs to it; where that leaves none,
    as a warning says, only the end is saved. SIGTERM and SIGINT save and raise ``SystemExit`` (143 and 130). Of several
    processes a signal to one stops all after the same step; those behind the first exit with 0.
    """

    def __init__(
        self, folder: str | Path, *, seed: int, monitor: str = "val/loss", mode: str = "min", every_seconds: float = 60.0
    ) -> None:
        """Keep the checkpoints in ``folder``.

        Args:
            seed: of everything random in the training.
            monitor, mode: the metric that ``best.ckpt`` is kept by, and whether it is best at its ``min`` or ``max``; of
                equals the last is kept.
            every_seconds: how much work a kill may cost; 0 saves at every step.
        """
        check_choice("mode", mode, ["min", "max"])
        check_counts(least=0, most=2**63 - 1, seed=seed)
        check_number("every_seconds", every_seconds, least=0)
        if not isinstance(folder, str | Path) or not isinstance(monitor, str):
            raise ValueError(f"folder must be a path and monitor a name, not {shown(folder)} and {shown(monitor)}")
        self.folder, self.seed, self.monitor, self.mode = Path(folder), seed, monitor, mode
        self.every_seconds = every_seconds
        self.best_value: float | None = None
        self.best_step: int | None = None
        self.spent_seconds = 0.0
        self._saved_at = self._began = 0.0
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def last(self) -> Path:
        return self.folder / LAST

    @property
    def best(self) -> Path:
        return self.folder / BEST

    @property
    def previous(self) -> Path:
        return self.folder / PREVIOUS

    def resumable(self) -> Path | None:
        """The checkpoint to go on from, ``None`` where a training begins; to be asked before it does.

        A ``last.ckpt`` that is damaged or missing is replaced by the one before. Where that is no better, or ``best.ckpt`` is
        damaged, all are removed: the training begins anew, and comes to the same end. A warning says which of these it was.
        """
        saved = [file for file in (self.last, self.previous, self.best) if file.exists()]
        damage = {file: reason for file in saved if (reason := _damage(file))}
        if self.best in damage:
            rank_zero_warn(f"{damage[self.best]}; the training begins anew")
        elif sound := [file for file in saved if file not in (*damage, self.best)]:
            if self.last in damage:
                rank_zero_warn(f"{damage[self.last]}; the training goes on from {self.previous}, saved before it")
            return sound[0].replace(self.last)
        elif damage:
            rank_zero_warn(f"{'; '.join(damage.values())}; the training begins anew")
        for file in saved:
            file.unlink(missing_ok=True)
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"best_value": self.best_value, "best_step": self.best_step, "spent_seconds": self.seconds(), "seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["seed"] != self.seed:
            raise ValueError(f"the checkpoint was trained with seed {state_dict['seed']}, not {self.seed}")
        self.best_value, self.best_step = state_dict["best_value"], state_dict["best_step"]
        self.spent_seconds = state_dict["spent_seconds"]

    def seconds(self) -> float:
        """Training time so far, over all goes."""
        return self.spent_seconds + (time.monotonic() - self._began if self._began else 0.0)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit" and trainer.global_step == 0:  # another training; a checkpoint, if there is one, is read after this
            self.best_value = self.best_step = self._signal = None
            self.spent_seconds = 0.0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.is_global_zero:
            for torn in self.folder.glob(".*.tmp"):
                torn.unlink()
        self._began = self._saved_at = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not self._ever_saves(trainer):
            rank_zero_warn(
                "nothing can be saved before the end: each epoch is one step, or a validation follows every step; a "
                "signal stops the training all the same. Hold several epochs in one loader (epochs=), or validate less often"
            )
        # Only now: between on_fit_start and here Lightning puts its own handlers in place, which make a SIGTERM exit with 0.
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets no other thread handle signals
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._note_signal)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if self._began:
            self.spent_seconds, self._began = self.seconds(), 0.0
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _note_signal(self, number: int, frame: Any) -> None:
        self._signal = number

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Recompute Lightning's counters from the step; as they were saved they drift from one resume to the next."""
        loops = checkpoint["loops"]["fit_loop"]
        per_epoch = checkpoint["batches_per_epoch"]
        steps = checkpoint["global_step"]
        if not per_epoch:
            return
        epoch, inside = epoch_and_batch(steps, per_epoch, trainer.accumulate_grad_batches)
        batches = epoch * per_epoch + inside
        _count(loops["epoch_progress"]["total"], epoch, begun=epoch + 1)
        _count(loops["epoch_progress"]["current"], epoch, begun=epoch + 1)
        _count(loops["epoch_loop.batch_progress"]["total"], batches)
        _count(loops["epoch_loop.batch_progress"]["current"], inside)
        loops["epoch_loop.batch_progress"]["is_last_batch"] = False
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] = steps
        optimizer = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
        for part in ("step", "zero_grad"):
            _count(optimizer[part]["total"], steps)
            _count(optimizer[part]["current"], inside // trainer.accumulate_grad_batches)
        validation = loops["epoch_loop.val_loop.batch_progress"]
        _count(validation["total"], 0)
        _count(validation["current"], 0)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        batches = trainer.num_training_batches  # infinite before the data are there, as when a Tuner begins
        checkpoint["batches_per_epoch"] = int(batches) if math.isfinite(batches) else 0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        saves = self._may_save(trainer, batch_idx)
        if saves or not self._ever_saves(trainer):
            due = time.monotonic() - self._saved_at >= self.every_seconds
            number, due = all_reduce_max(self._signal or 0, int(due))  # processes save together, and stop together
            if saves and (number or due):
                self.save(trainer)
            if number:  # of the other processes Lightning takes any other code for a crash, and kills the first
                raise SystemExit(128 + number if trainer.is_global_zero else 0)
        drawn = draw_seed(self.seed, trainer.fit_loop.epoch_loop.total_batch_idx, trainer.global_rank)
        # for devices that are not in use, torch.manual_seed keeps the seed and a stack trace, which takes a millisecond
        (torch.default_generator if pl_module.device.type == "cpu" else torch).manual_seed(drawn)

    def _may_save(self, trainer: lightning.Trainer, batch_idx: int) -> bool:
        between = batch_idx % trainer.accumulate_grad_batches == 0
        return between and batch_idx > 0 and batch_idx % (trainer.val_check_batch or math.inf) != 0

    def _ever_saves(self, trainer: lightning.Trainer) -> bool:
        """Whether an epoch has a place between two steps, the one after a validation left out."""
        accumulated, interval = trainer.accumulate_grad_batches, trainer.val_check_batch or math.inf
        return accumulated < trainer.num_training_batches and accumulated % interval != 0

    def save(self, trainer: lightning.Trainer) -> None:
        """Write ``last.ckpt``, unless a weight is not finite."""
        if not all(torch.isfinite(parameter).all() for parameter in trainer.lightning_module.parameters()):
            raise FloatingPointError(
                f"a weight is not finite after step {trainer.global_step}: lower the learning rate or clip the gradient; "
                f"{self.last} keeps the last finite weights"
            )
        trainer.save_checkpoint(self.last, storage_options=self.previous)
        self._saved_at = time.monotonic()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.monitor])
        if not math.isfinite(value):
            raise FloatingPointError(f"{self.monitor} is {value} after step {trainer.global_step}; {self.last} may be older")
        sign = 1 if self.mode == "min" else -1
        if self.best_value is None or sign * value <= sign * self.best_value:  # of equals, the one that has learnt longer
            self.best_value, self.best_step = value, trainer.global_step
            trainer.save_checkpoint(self.best)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.save(trainer)


def _damage(file: Path) -> str:
    """What is wrong with a checkpoint, nothing where it is sound."""
    try:
        check_checkpoint(file)
    except ValueError as error:
        return str(error)
    return ""


def draw_seed(*key: int) -> int:
    """A seed of 63 bits that is a function of ``key`` alone."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _count(progress: dict[str, int], done: int, *, begun: int | None = None) -> None:
    for name in progress:
        progress[name] = done if begun is None or name in ("processed", "completed") else begun
