"""What every task shares: the loss over real targets, its logging, the optimiser, and a stop at the first bad number."""

from abc import abstractmethod
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ..processes import all_reduce_mean
from ..sequences import IGNORED, Batch, length_mask
from .optimization import make_optimizer, make_schedule


class System(lightning.LightningModule):
    """One task: a network, its loss, its metrics and its optimiser.

    A subclass answers ``score``. Losses are means over real targets, however these are batched; ``val/loss`` and
    ``test/loss`` weigh every target of the split alike. Several processes, each with its own rows of every batch, train and
    measure as one would; only a batch in which none of them has a target still counts as a step for every weight.
    """

    def __init__(self, optimizer: dict[str, Any] | None, schedule: dict[str, Any] | None) -> None:
        super().__init__()
        self.optimizer_settings = optimizer or {"name": "adam", "lr": 1e-3}
        self.schedule_settings = schedule
        make_optimizer(self.optimizer_settings, [nn.Parameter(torch.zeros(1))])  # a wrong name or key shows at once
        self.train_loss, self.val_loss, self.test_loss = MeanMetric(), MeanMetric(), MeanMetric()

    def loss_of(self, split: str) -> MeanMetric:
        """The running mean of the loss over the targets of ``train``, ``val`` or ``test``."""
        return {"train": self.train_loss, "val": self.val_loss, "test": self.test_loss}[split]

    @abstractmethod
    def score(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        """The mean loss over the real targets of ``batch``, and how many these are."""

    @abstractmethod
    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        """Refuse inputs that are not what the model reads, naming row and step. Called on the CPU only."""

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        if self.device.type != "cpu":  # on the CPU the model looks itself; on a device it would have to wait for it
            self.check_inputs(batch.inputs, batch.lengths)
        return batch

    def pass_over(self, split: str) -> None:
        """What a batch changes of which this process, one of several, has no row."""

    def log_scores(self, split: str) -> None:
        """Log what follows from an epoch's loss (perplexity, say) or from metrics of the subclass."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if len(batch.targets):
            loss, count = self.score(batch, "train")
        else:
            self.pass_over("train")
            loss, count = self._of_nothing(), 0
        mean, total, weight = all_reduce_mean(loss.detach(), count)
        if not torch.isfinite(mean):
            raise FloatingPointError(
                f"the loss is {mean.item()} at step {self.global_step}: lower the learning rate or clip the gradient; "
                "the last checkpoint holds finite weights"
            )
        self.train_loss.update(mean, total)
        return loss * weight if weight else loss + self._of_nothing()

    def _of_nothing(self) -> Tensor:
        """A loss of 0 that depends on every weight: where a process has no targets, the others still wait for its gradient."""
        return torch.stack([weight.sum() for weight in self.parameters() if weight.requires_grad]).sum() * 0.0

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: Batch, split: str) -> None:
        if not len(batch.targets):
            self.pass_over(split)
            return
        loss, count = self.score(batch, split)
        if count:
            self.loss_of(split).update(loss, count)

    def on_validation_epoch_start(self) -> None:
        self.val_loss.reset()

    def on_validation_epoch_end(self) -> None:
        if self.train_loss.update_called:
            self.log("train/loss", self.train_loss.compute())
            self.train_loss.reset()
        self._log_loss("val")

    def on_test_epoch_start(self) -> None:
        self.test_loss.reset()

    def on_test_epoch_end(self) -> None:
        self._log_loss("test")

    def _log_loss(self, split: str) -> None:
        self.log(f"{split}/loss", self.loss_of(split).compute(), prog_bar=True)
        self.log_scores(split)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["train_loss"] = (self.train_loss.mean_value, self.train_loss.weight)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "train_loss" in checkpoint:  # so that a resumed run logs what an uninterrupted one does
            self.train_loss.mean_value, self.train_loss.weight = checkpoint["train_loss"]

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.optimizer_settings, self.parameters())
        if self.schedule_settings is None:
            return optimizer
        schedule = {"scheduler": make_schedule(self.schedule_settings, optimizer), "interval": "step", "monitor": "val/loss"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_train_start(self) -> None:
        for schedule in self.trainer.lr_scheduler_configs:
            if schedule.reduce_on_plateau:  # how often that is, Lightning knows only once it has the data
                schedule.frequency = int(self.trainer.val_check_batch or 1)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch, but leave on the CPU what Python asks about: lengths and fresh starts."""
        moved = [part if part is None else part.to(device, non_blocking=True) for part in batch]
        return Batch._make(moved)._replace(lengths=batch.lengths, target_lengths=batch.target_lengths, fresh=batch.fresh)


def check_sizes(**sizes: int) -> None:
    """Refuse a size below 1, by its name."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")


def real_targets(targets: Tensor, lengths: Tensor | None, size: int) -> Tensor:
    """``targets`` (B, T), ``IGNORED`` behind each row's length; on the CPU each is checked to be one of 0..``size`` - 1.

    Raises:
        ValueError: for a target outside the vocabulary.
    """
    if lengths is not None:
        targets = targets.masked_fill(~length_mask(lengths.to(targets.device), targets.shape[1]), IGNORED)
    if targets.device.type == "cpu":
        check_tokens("target", targets, size, also=IGNORED)
    return targets


def check_tokens(name: str, tokens: Tensor, size: int, *, also: int | None = None) -> None:
    """Refuse ``tokens`` that are not int64 of shape (B, T), each one of 0..``size`` - 1 or ``also``; ``name`` is what they are.

    Raises:
        ValueError: naming the first wrong one and its place.
    """
    if tokens.dtype != torch.int64 or tokens.dim() != 2:
        raise ValueError(f"{name}s must be int64 of shape (B, T), not {tokens.dtype} of shape {tuple(tokens.shape)}")
    outside = (tokens < 0) | (tokens >= size)
    wrong = (outside if also is None else outside & (tokens != also)).nonzero()
    if len(wrong):
        row, step = wrong[0].tolist()
        raise ValueError(f"{name} {int(tokens[row, step])} in row {row}, step {step}: {name}s are 0..{size - 1}")
