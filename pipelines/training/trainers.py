"""Lightning's Trainer as the stages use it: the experiment's hardware and precision, and nothing that they have no use for."""

import logging
import os
import warnings
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping

from pipelines import tracking
from pipelines.display.progress import Progress
from pipelines.settings.collector import collect_as_usual
from pipelines.settings.schema import Experiment
from pipelines.training.products import Products, products_of
from rnn_lightning import AtomicCheckpointIO, WeightAverage


def set_precision(experiment: Experiment) -> Products:
    """Have PyTorch compute with the experiment's number of threads and precision of matrix products; returns the latter."""
    torch.set_num_threads(experiment.trainer.threads)
    products = products_of(experiment)
    torch.set_float32_matmul_precision(products.precision)
    return products


def make_trainer(experiment: Experiment, *, processes: int, **more: Any) -> lightning.Trainer:
    """Lightning's Trainer on the experiment's hardware, without the habits that stages have no use for.

    Raises:
        ValueError: for more processes than there are graphics processors to train on.
    """
    settings = experiment.trainer
    if settings.accelerator == "gpu" and processes > torch.cuda.device_count():
        raise ValueError(f"trainer.devices is {processes}, but there are {torch.cuda.device_count()} graphics processors")
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.threads))  # else Lightning gives each process its share of all
    collect_as_usual()
    return lightning.Trainer(
        accelerator=settings.accelerator,
        devices=processes,
        strategy=settings.strategy if processes > 1 else "auto",
        use_distributed_sampler=False,
        precision=settings.precision,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **more,
    )


def fitting_trainer(
    experiment: Experiment, between: int, callbacks: list[lightning.Callback], run_id: str
) -> lightning.Trainer:
    """The Trainer of a training that validates every ``between`` steps; all epochs are in one loader."""
    return make_trainer(
        experiment,
        processes=experiment.trainer.devices,
        max_epochs=1,
        gradient_clip_val=experiment.task.training.clip or None,
        gradient_clip_algorithm=experiment.trainer.gradient_clip_algorithm,
        val_check_interval=between * experiment.trainer.accumulate_grad_batches,  # which are batches
        accumulate_grad_batches=experiment.trainer.accumulate_grad_batches,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=0,  # between validations, Signals do it
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=tracking.lightning_logger(run_id),
    )


def averaging(experiment: Experiment) -> list[lightning.Callback]:
    """The average of the weights that the settings ask for, if they do."""
    settings, metric = experiment.trainer.averaging, experiment.task.metric
    if settings is None:
        return []
    device = "cuda" if experiment.trainer.accelerator == "gpu" else None
    return [WeightAverage(**settings.model_dump(), monitor=metric.monitor, mode=metric.mode, device=device)]


class Patience(EarlyStopping):
    """Ends a training after so many validations without a better one; one that is resumed after that makes no further step."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def patience(experiment: Experiment) -> list[lightning.Callback]:
    """What ends a training early, if the settings ask for it."""
    metric, most = experiment.task.metric, experiment.task.training.patience
    if most is None:
        return []
    return [Patience(metric.monitor, patience=most, mode=metric.mode, check_on_train_epoch_end=False)]


class Testing(lightning.Callback):
    """Says how many batches of a test are measured."""

    def __init__(self, name: str) -> None:
        self.progress = Progress(name, None, "batches")

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.progress.total = sum(trainer.num_test_batches)
        self.progress.__enter__()

    def on_test_batch_end(  # noqa: PLR0917 - as Lightning's Callback has it
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.progress.reach(batch_idx + 1)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.progress.__exit__()

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        self.progress.__exit__()


def quieten() -> None:
    """Keep Lightning's advertisements out of the progress lines, and a warning that concerns its developers."""
    for room in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(room).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*LeafSpec")  # Lightning's use of what PyTorch has renamed
