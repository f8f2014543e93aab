"""What every task shares: its batches, the loss over real targets, the optimiser, and the way to and from a checkpoint.

Shapes: B rows, T steps.
"""

import inspect
import os
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch.trainer.connectors import data_connector
from torch import Tensor, nn

from ..files import write_text
from ..hub import CARD, check_repository, plain_card, upload
from ..models.checkpoints import check_place, local_file, opened, weightless, weightless_networks
from ..models.model import Model
from ..models.weights import CONFIG, arguments_of, write_weights
from ..optimization import check_training, make_optimizer, make_schedule
from ..processes import all_reduce_mean
from ..recurrent import is_network
from ..sequences import Batch
from .accumulation import Accumulated
from .metered import Metered

GIVEN = "given as a Recurrent"
"""The hyper-parameter in place of a network that is no keywords."""
data_connector.warning_cache.add(  # Lightning would warn of it whenever a data module is passed
    "You have overridden `transfer_batch_to_device` in `LightningModule` but have passed in a"
    " `LightningDataModule`. It will use the implementation from `LightningModule` instance."
)


class System(Metered, Model):
    """One task: a network, its loss, its metrics and its optimiser.

    A subclass has ``__init__``, ``run``, ``loss_on`` and ``predict_on``; those of this package have the first two from a
    `Model`, which answers without a system. It reads tokens if it sets ``vocab_size``, features if it sets ``input_size``.
    Losses are means over real targets, however these are batched; ``val/loss`` and ``test/loss`` weigh every target of the
    split alike. ``train/loss`` is the mean since the last validation, or without one that of the epoch; ``train/loss_step``
    that of a single batch. A step of several batches (``accumulate_grad_batches``) is that of one batch of all their rows.
    Several processes, each with its own rows of every batch, train and measure as one would; only a batch in which none of
    them has a target still counts as a step for every weight.

    Wherever a batch is read, it may be what `Batch.of` takes.
    """

    forward = Model.forward  # pyright: ignore[reportAssignmentType]

    def __init__(self, optimizer: dict[str, Any] | None, schedule: dict[str, Any] | None, **networks: Any) -> None:
        """Keep the hyper-parameters, those of the subclass too.

        Args:
            optimizer, schedule: a ``name`` of ``OPTIMIZERS`` or ``SCHEDULES`` and its keywords.
            networks: the arguments that the subclass makes networks of, by name. One that is a `Recurrent` already is no
                hyper-parameter; ``load_from_checkpoint`` needs it again.
        """
        super().__init__()
        given = [name for name, network in networks.items() if is_network(network)]
        self.save_hyperparameters(ignore=given)
        self.hparams.update(dict.fromkeys(given, GIVEN))
        self.optimizer_settings: Any = {"name": "adam", "lr": 1e-3} if optimizer is None else optimizer
        self.schedule_settings = schedule
        self.accumulated = Accumulated()
        check_training(self.optimizer_settings, schedule)
        if schedule is not None:
            self._defaults()  # a wrong value shows at once

    @abstractmethod
    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        """The mean loss over the real targets of ``batch``, and how many these are.

        ``split`` is ``train``, ``val`` or ``test``; of the latter two it updates the metrics.
        """

    @abstractmethod
    def predict_on(self, batch: Batch) -> Any:
        """The system's answer to a batch, whose targets are not looked at and may be absent."""

    def check_targets(self, batch: Batch) -> None:
        """Refuse targets that the task forbids; ``loss_on`` does so too, of targets on the CPU."""

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Batch:
        """What a loader yields as a `Batch` on ``device``, checked before it leaves the CPU."""
        batch = Batch.of(batch)
        if device.type != "cpu" and batch.inputs.device.type == "cpu":  # on the CPU, forward and loss_on look themselves
            self.check_inputs(batch.inputs, batch.lengths)
            if batch.targets is not None:
                self.check_targets(batch)
        return batch.to(device)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss, count = self._loss(batch, "train") or (self._of_nothing(), 0)
        mean, total, weight = all_reduce_mean(loss.detach(), count)
        if not torch.isfinite(mean):
            raise FloatingPointError(
                f"the loss is {mean.item()} at step {self.global_step}: lower the learning rate or clip the gradient; "
                "the last checkpoint holds finite weights"
            )
        self.metric("train").update(mean, total)
        self.log_step(mean)
        weight *= self.accumulated.weight_of(self, total)
        return loss * weight if weight else loss + self._of_nothing()

    def on_after_backward(self) -> None:
        self.accumulated.finish(self)

    def _loss(self, batch: Any, split: str) -> tuple[Tensor, int] | None:
        """``loss_on`` for what a loader yields; ``None`` where this process, one of several, has no row of the batch."""
        batch = Batch.of(batch)
        if batch.targets is None:
            raise ValueError(
                "a batch without targets can only be predicted on: give (inputs, targets), or a dict that has them"
            )
        if not len(batch.inputs):
            self.forget(split)  # it is of rows that are over
            return None
        return self.loss_on(batch, split)

    def _of_nothing(self) -> Tensor:
        """A loss of 0 that depends on every weight: where a process has no targets, the others still wait for its gradient."""
        return torch.stack([weight.sum() for weight in self.parameters() if weight.requires_grad]).sum() * 0.0

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: Any, split: str) -> None:
        loss, count = self._loss(batch, split) or (None, 0)
        if count:
            self.metric(split).update(loss, count)

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        return self.predict_on(Batch.of(batch))

    def _defaults(self) -> dict[str, Any]:
        optimizer = make_optimizer(self.optimizer_settings, [nn.Parameter(torch.zeros(1))])
        if self.schedule_settings is not None:
            make_schedule(self.schedule_settings, optimizer)
        return optimizer.defaults

    @property
    def lr(self) -> float:
        """The learning rate of the optimiser's settings, where ``Tuner.lr_find`` puts what it suggests."""
        return self._defaults()["lr"]

    @lr.setter
    def lr(self, lr: float) -> None:
        self.optimizer_settings = {**self.optimizer_settings, "lr": lr}
        self.hparams["optimizer"] = self.optimizer_settings

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.optimizer_settings, self.parameters())
        if self.schedule_settings is None:
            return optimizer
        schedule = {"scheduler": make_schedule(self.schedule_settings, optimizer), "interval": "step", "monitor": "val/loss"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_train_start(self) -> None:
        self.accumulated = Accumulated()  # an earlier training may have ended between two batches of a step
        for schedule in self.trainer.lr_scheduler_configs:
            if schedule.reduce_on_plateau:  # how often that is, Lightning knows only once it has the data
                schedule.frequency = int(self.trainer.val_check_batch or 1)

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        **replaced: Any,
    ) -> Self:
        """The system that ``checkpoint_path``, a local file, holds; ``replaced`` are hyper-parameters in place of its own.

        Its checksums are compared, and its weights with its hyper-parameters, before a network takes memory.

        Raises:
            ValueError: where the file is damaged, comes from elsewhere, is of another class, or does not hold the weights that
                its hyper-parameters say; for a name in ``replaced`` that is no hyper-parameter; where ``weights_only`` is
                ``False``, since code in a file is never run; where its network was given as a `Recurrent` and is not given
                again as ``rnn``.
            FileNotFoundError: where there is no file.
        """
        if weights_only is not None and not weights_only:
            raise ValueError("weights_only must be True: a checkpoint is data, and code in it is never run")
        if unknown := sorted(replaced.keys() - inspect.signature(cls).parameters.keys()):
            raise ValueError(f"{cls.__name__} has no {unknown[0]}: it has {', '.join(inspect.signature(cls).parameters)}")
        check_place(map_location)
        settings = None if hparams_file is None else local_file(hparams_file)
        with opened(checkpoint_path) as file:
            try:
                with weightless(checkpoint_path):
                    super().load_from_checkpoint(file, "meta", settings, strict, True, **weightless_networks(replaced))
            except TypeError as error:
                raise ValueError(f"{checkpoint_path} is no checkpoint of {cls.__name__}: {error}") from None
            file.seek(0)
            return super().load_from_checkpoint(file, map_location, settings, strict, True, **replaced)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the weights and hyper-parameters to ``folder``, which `from_pretrained` reads: ``model.safetensors``,
        ``config.json``, and a model card ``README.md`` where there is none.

        Raises:
            ValueError: where its network was given as a `Recurrent`: ``config.json`` holds keywords alone.
        """
        place, kind, arguments = Path(folder), type(self), arguments_of(type(self), self.hparams)
        for name in (name for name, value in arguments.items() if value == GIVEN):
            raise ValueError(f"{name} of this {kind.__name__} was {GIVEN}: build it by keywords, which {CONFIG} holds")
        place.mkdir(parents=True, exist_ok=True)
        write_weights(self, arguments, place)
        if not (place / CARD).exists():
            write_text(place / CARD, plain_card(kind, self))

    def push_to_hub(self, repository: str, *, private: bool | None = None, revision: str | None = None) -> str:
        """Upload what `save_pretrained` writes to the model ``OWNER/NAME`` of the Hugging Face Hub; see `hub.upload`.

        Returns the address of the commit.

        Raises:
            ValueError: as `save_pretrained`; where the Hub refuses, or cannot be reached.
        """
        check_repository(repository)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, repository.rpartition("/")[2])
            self.save_pretrained(folder)
            return upload(folder, repository, private=private, revision=revision)
