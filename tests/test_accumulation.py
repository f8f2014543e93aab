"""Steps of several batches: that of one batch of all their rows, however many targets each of them has."""

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from run_folders import trained_in
from test_lightning_features import QUIET
from torch.utils.data import DataLoader

from rnn_lightning import IGNORED, Batch, LanguageModel, SequenceClassifier, System, Tagger
from rnn_lightning.files import read_json
from rnn_lightning.optimization import clipped_size

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*val_dataloader")
GRU = {"cell": "gru", "hidden_size": 4}
SGD = {"name": "sgd", "lr": 0.5}


def build(name: str) -> System:
    torch.manual_seed(0)
    systems = {
        "language model": lambda: LanguageModel(9, GRU, 4, optimizer=SGD),
        "tagger": lambda: Tagger(9, 3, GRU, embedding_size=4, output="crf", optimizer=SGD),
        "class": lambda: SequenceClassifier(GRU, 2, num_classes=3, optimizer=SGD),
    }
    return systems[name]().double()


def rows_of(name: str, count: int = 9) -> list[Batch]:
    """Batches of a row each, of which some have many targets and one has none."""
    draws, made = torch.Generator().manual_seed(1), []
    for number in range(count):
        lengths = torch.tensor([0 if number == 4 else 1 + number * 2 % 7])
        if name == "class":
            target = torch.tensor([IGNORED if number == 4 else number % 3])
            made.append(Batch(torch.randn(1, 7, 2, generator=draws).double(), lengths, target))
            continue
        targets = torch.randint(3, (1, 7), generator=draws).masked_fill(torch.arange(7) >= lengths, IGNORED)
        made.append(Batch(torch.randint(9, (1, 7), generator=draws), lengths, targets))
    return made


class Norms(Callback):
    """The norm of the gradient before it is clipped."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.seen.append(float(clipped_size([weight.grad for weight in pl_module.parameters() if weight.grad is not None])))


def together(batches: list[Batch]) -> Batch:
    parts: Any = zip(*(batch[:3] for batch in batches), strict=True)
    return Batch(*map(torch.cat, parts))


def fit(system: System, batches: list[Batch], accumulate: int, *more: lightning.Callback) -> None:
    options: dict[str, Any] = {**QUIET, "accelerator": "cpu", "max_epochs": 1, "log_every_n_steps": 0}
    trainer = lightning.Trainer(
        **options, accumulate_grad_batches=accumulate, gradient_clip_val=0.1, precision="64-true", callbacks=[*more]
    )
    trainer.fit(system, DataLoader(batches, batch_size=None))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["language model", "tagger", "class"])
@pytest.mark.parametrize("accumulate", [2, 4])
def test_a_step_of_several_batches_is_that_of_one_of_all_their_rows(name: str, accumulate: int) -> None:
    parts, whole, rows = build(name), build(name), rows_of(name)  # 9 batches: the last step has one alone
    norms = Norms(), Norms()
    fit(parts, rows, accumulate, norms[0])
    large = [together(rows[at : at + accumulate]) for at in range(0, len(rows), accumulate)]
    fit(whole, large, 1, norms[1])
    for one, other in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    assert norms[0].seen == pytest.approx(norms[1].seen) and len(norms[0].seen) == len(large)
    losses = [system.trainer.callback_metrics["train/loss"].item() for system in (parts, whole)]
    assert losses[0] == pytest.approx(losses[1])


def test_a_training_of_the_pipeline_plans_steps_and_not_batches(tmp_path: Path) -> None:
    more = ["trainer.accumulate_grad_batches=2", "task.data.batch_size=5", "task.model.optimizer={name: sgd, lr: 0.1}"]
    runs = []
    for words in (more, ["task.model.optimizer={name: sgd, lr: 0.1}"]):
        with trained_in(tmp_path, *words, "task.training.epochs=3") as folder:
            facts = read_json(folder / "training.json")
            curves = [line.split(",") for line in (folder / "curves.csv").read_text().splitlines()[1:]]
            runs.append((facts["steps"], facts["planned_steps"], [row[:2] for row in curves if row[3] == "val/loss"]))
    assert runs[0] == runs[1] and runs[0][0] == 12
