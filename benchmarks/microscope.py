"""The share of a training's time that the callback `Microscope` takes at its default interval, by task and architecture.

    python -m benchmarks.microscope      writes benchmarks/microscope.json

The tasks' corpora must be there (``rnn fetch`` and ``rnn preprocess``). Training steps, what the callback does at each of them,
and an examination are measured in turn; an examination comes once in so many steps as lie between two of them in the task.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import lightning
import torch

from benchmarks.timing import in_turn, store
from pipelines.runs.cards import card_of
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from pipelines.training.trainers import quieten
from rnn_lightning import System
from rnn_lightning.microscope import Microscope

TASKS, NETWORKS = {"adding": 50, "shakespeare": 8}, ("elman", "lstm", "gru", "layernorm_lstm")
"""Tasks with the steps that are measured together, and architectures."""
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


@dataclass
class Case:
    """A task with an architecture: its system and data, and the callback."""

    experiment: Experiment

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.data: Any = self.experiment.task.data.build(folder=self.experiment.processed())
        self.system: System = build_system(self.experiment, card_of(self.experiment), planned=1)
        self.microscope = Microscope()
        self.data.setup("fit")
        self.batch = next(iter(self.data.val_dataloader()))
        self.trainer: Any = SimpleNamespace(
            gradient_clip_val=self.experiment.task.training.clip,
            gradient_clip_algorithm="norm",
            sanity_checking=False,
            global_step=0,
        )
        self.system.log_dict = lambda *_, **__: None  # there is no trainer to log to

    def train(self, steps: int) -> None:
        options: dict[str, Any] = {"accelerator": "cpu", "limit_val_batches": 0, **QUIET}
        trainer = lightning.Trainer(max_steps=steps, gradient_clip_val=self.experiment.task.training.clip, **options)
        trainer.fit(self.system, self.data)

    def look_at_a_step(self) -> None:
        self.microscope.on_before_optimizer_step(self.trainer, self.system, None)

    def examine(self) -> None:
        """What the validations between two examinations cost: one that is passed over, and one that is looked at."""
        for _ in range(self.microscope.every):
            self.microscope.on_validation_batch_start(self.trainer, self.system, self.batch, 0)

    def interval(self) -> int:
        """Training steps between two examinations."""
        every = self.experiment.task.training.validate_every or len(self.data.train_dataloader())
        return every * self.microscope.every


def measure(arguments: Sequence[str], steps: int) -> dict[str, Any]:
    """The milliseconds of a training step and of what is added, and the share that this has of the training."""
    case = Case(compose(arguments))
    case.train(1)  # the gradients that a step looks at
    forms: dict[str, Callable[[], None]] = {"training": partial(case.train, steps), "step": case.look_at_a_step}
    taken = in_turn({**forms, "examination": case.examine}, rounds=5)
    step, interval = taken["training"].median / steps, case.interval()
    added = taken["step"].median + taken["examination"].median / interval
    return {
        "parameters": sum(weight.numel() for weight in case.system.parameters()),
        "steps_between_examinations": interval,
        "step_ms": 1000 * step,
        "added_to_each_step_ms": 1000 * taken["step"].median,
        "examination_ms": 1000 * taken["examination"].median,
        "share_of_training": added / step,
    }


def main() -> None:
    quieten()
    torch.set_num_threads(1)
    results = {}
    for task, steps in TASKS.items():
        for rnn in NETWORKS:
            row = results[f"{task}/{rnn}"] = measure([f"task={task}", f"rnn={rnn}", "seed=1"], steps)
            print(f"{task}, {rnn}: {row['share_of_training']:.2%} of the training", flush=True)
    store(__file__, {"command": "python -m benchmarks.microscope", "cases": results})


if __name__ == "__main__":
    exit_on_user_error(main)
