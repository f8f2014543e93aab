"""Averages of the weights over training steps: what is validated, kept and used in their place."""

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from ..checks import check_choice, check_counts, check_number, check_text, shown

KINDS = ("ema", "swa", "nt_asgd")


def check_device(device: str | None) -> None:
    """Refuse what is no name of a device of PyTorch's.

    Raises:
        ValueError: naming what came.
    """
    try:
        torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError):
        raise ValueError(f"device must be one of PyTorch's, such as 'cpu' or 'cuda:0', or None, not {shown(device)}") from None


class WeightAverage(WeightAveraging):
    """Validates, saves and leaves an average of the weights, which the training itself goes on without.

    ``ema`` is the exponential moving average, decay * average + (1 - decay) * weights after each step; ``swa`` the mean of the
    weights after each step from ``start`` on (Izmailov et al. 2018, arXiv:1803.05407, at the learning rate of the schedule);
    ``nt_asgd`` that mean from the first validation on which is worse than the best one more than ``patience`` validations ago
    (Merity et al. 2018, arXiv:1708.02182, algorithm 1). Before an average begins, the weights themselves are in its place.

    In a checkpoint ``state_dict`` is the average, ``current_model_state`` the weights that a resumed training goes on with, to
    the bits of one that was not interrupted. It belongs behind all other callbacks, which then validate the average too.
    """

    def __init__(
        self,
        kind: str,
        *,
        decay: float = 0.999,
        start: int = 0,
        patience: int = 5,
        monitor: str = "val/loss",
        mode: str = "min",
        device: str | None = None,
    ) -> None:
        """Average as ``kind`` says, on ``device`` (``None``: that of the model as the fit begins).

        Args:
            decay: of ``ema``, from 0 to 1.
            start: of ``ema`` and ``swa``, the steps that are left out.
            patience, monitor, mode: of ``nt_asgd``, the validations in which the metric may be no better, the metric, and
                whether it is best at its ``min`` or ``max``.
        """
        check_choice("kind", kind, KINDS)
        check_choice("mode", mode, ["min", "max"])
        check_number("decay", decay, least=0, most=1)
        check_counts(least=0, start=start)
        check_counts(patience=patience)
        check_text("monitor", monitor)
        check_device(device)
        average = get_ema_multi_avg_fn(decay) if kind == "ema" else get_swa_multi_avg_fn()
        super().__init__(device=device, use_buffers=False, multi_avg_fn=average)
        self.kind, self.start, self.patience, self.monitor, self.mode = kind, start, patience, monitor, mode
        self._begun = kind != "nt_asgd"
        self._validated: list[float] = []

    @property
    def steps(self) -> int:
        """The steps whose weights are in the average so far."""
        return 0 if self._average_model is None else int(self._average_model.n_averaged)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return self._begun and step_idx is not None and step_idx >= self.start

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":  # another training; a checkpoint, if there is one, is read after this
            self._begun, self._validated, self._latest_update_step = self.kind != "nt_asgd", [], 0
        super().setup(trainer, pl_module, stage)

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.steps:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.steps:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.sanity_checking or self.kind != "nt_asgd" or self.monitor not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.monitor]) * (1 if self.mode == "min" else -1)
        before = self._validated[: -self.patience]
        self._begun = self._begun or (bool(before) and value > min(before))
        self._validated.append(value)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.steps:
            super().on_train_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "begun": self._begun, "validated": self._validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._begun, self._validated = state_dict["begun"], [*state_dict["validated"]]

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._average_model is not None and not self.steps:
            checkpoint["state_dict"] = checkpoint["current_model_state"]


def averaged_steps(checkpoint: dict[str, Any]) -> int:
    """The steps of whose weights ``checkpoint`` holds an average; 0 where it holds those of one step."""
    return int(checkpoint.get("averaging_state", {}).get("n_averaged", 0))
