"""A callback that examines a system while it is trained."""

from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from ..checks import check_counts, check_number
from ..optimization import clipped_size
from ..systems import System
from .examine import SHARE, Findings, examine

PLACES = 2
"""Rows, and steps of each, at which Jacobians are taken: fewer than after the training, so that this takes little time."""


class Microscope(Callback):
    """Examines the system on the first validation batch, at every ``every_n_validations``-th validation.

    It logs ``memory/horizon``, ``memory/singular_value``, ``memory/GATE_saturated`` and, where gradients are clipped,
    ``memory/clipped_share`` of the steps since the last time; ``findings`` has all of it, by step.
    """

    def __init__(self, *, every_n_validations: int = 2, rows: int = 16, share: float = SHARE) -> None:
        """Look at the first ``rows`` rows; the horizon ends at a ``share`` of the largest gradient."""
        check_counts(every_n_validations=every_n_validations, rows=rows)
        check_number("share", share, above=0, below=1)
        self.every, self.rows, self.share = every_n_validations, rows, share
        self.findings: dict[int, Findings] = {}
        self._validations, self._steps, self._clipped = 0, 0, 0

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        if trainer.gradient_clip_val:
            gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
            self._steps += 1
            self._clipped += int(clipped_size(gradients, trainer.gradient_clip_algorithm) > trainer.gradient_clip_val)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if trainer.sanity_checking or batch_idx or dataloader_idx:
            return
        self._validations += 1
        if self._validations % self.every:
            return
        found = examine(cast(System, pl_module), [batch], rows=self.rows, places=PLACES)
        if self._steps:
            found = found._replace(clipped_share=self._clipped / self._steps)
        self._steps = self._clipped = 0
        self.findings[trainer.global_step] = found
        pl_module.log_dict(logged(found, self.share), on_step=False, on_epoch=True, batch_size=1)


def logged(found: Findings, share: float) -> dict[str, float]:
    """The single numbers of ``found``, by the names that they are logged with."""
    numbers = {"memory/horizon": float(found.horizon(share)), "memory/singular_value": found.singular_values[0]}
    numbers |= {f"memory/{gate}_saturated": low + high for gate, (low, high) in found.gates.items()}
    return numbers if found.clipped_share is None else numbers | {"memory/clipped_share": found.clipped_share}
