"""What Lightning offers around a training, tried with every system: callbacks, tuning, precision, prediction, no warning."""

import csv
import math
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from corpora import CHARACTERS, TAGS, VOCABULARY
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, StochasticWeightAveraging
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.tuner.tuning import Tuner
from often import in_turn
from torch.utils.data import DataLoader

from rnn_lightning import (
    Batch,
    CTCRecognizer,
    Forecaster,
    FrameClassifier,
    LanguageModel,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    System,
    Tagger,
)

GRU = {"cell": "gru", "hidden_size": 4}
LENGTHS = torch.tensor([5, 2, 4])
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
SYSTEMS = ("language model", "tagger", "frames", "class", "value", "values", "forecast", "labels", "translation")
every_system = pytest.mark.parametrize("name", SYSTEMS)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),  # Lightning's own, of PyTorch's
    pytest.mark.filterwarnings("ignore:.*have no `val_dataloader`"),
]


def build(name: str, **more: Any) -> System:
    torch.manual_seed(0)
    systems: dict[str, Any] = {
        "language model": lambda: LanguageModel(VOCABULARY, GRU, 4, **more),
        "tagger": lambda: Tagger(VOCABULARY, TAGS, GRU, embedding_size=4, num_characters=CHARACTERS, **more),
        "frames": lambda: FrameClassifier(GRU, 3, ["a", "b", "c"], **more),
        "class": lambda: SequenceClassifier(GRU, 3, num_classes=3, **more),
        "value": lambda: SequenceClassifier(GRU, 2, **more),
        "values": lambda: SequenceRegressor(GRU, 3, ["a", "b"], every_step=True, quantiles=[0.1, 0.9], **more),
        "forecast": lambda: Forecaster(GRU, 3, ["a", "b"], 2, known=1, recursive=True, **more),
        "labels": lambda: CTCRecognizer(GRU, 3, ["-", "a", "b", " "], **more),
        "translation": lambda: Seq2Seq(VOCABULARY, VOCABULARY, GRU, end=VOCABULARY - 1, embedding_size=4, **more),
    }
    return systems[name]()


def batches(name: str, count: int = 4) -> list[Any]:
    """Batches of three rows as a user's own loader makes them: pairs, triples and dicts."""
    draws = torch.Generator().manual_seed(1)

    def tokens(size: int, *shape: int, least: int = 0) -> torch.Tensor:
        return torch.randint(least, size, shape, generator=draws)

    made: list[Any] = []
    for _ in range(count):
        features = torch.randn(3, 5, 2 if name == "value" else 3, generator=draws)
        if name == "language model":
            made.append({"inputs": tokens(9, 3, 5), "targets": tokens(9, 3, 5), "fresh": torch.full((3,), not made)})
        elif name == "tagger":
            made.append((tokens(VOCABULARY, 3, 5), LENGTHS, tokens(TAGS, 3, 5)))
        elif name == "translation":
            targets = torch.cat([tokens(VOCABULARY - 1, 3, 2), torch.full((3, 1), VOCABULARY - 1)], 1)
            made.append((tokens(VOCABULARY, 3, 5), LENGTHS, targets))
        elif name == "labels":
            made.append({"inputs": features, "targets": tokens(4, 3, 2, least=1)})
        elif name == "frames":
            made.append((features, LENGTHS, tokens(3, 3, 5)))
        elif name == "values":
            made.append((features, LENGTHS, torch.randn(3, 5, 2, generator=draws)))
        elif name == "forecast":
            made.append((features, torch.randn(3, 2, 2, generator=draws)))
        else:
            made.append((features, torch.randn(3, generator=draws) if name == "value" else tokens(3, 3)))
    return made


def loader(name: str) -> DataLoader:
    return DataLoader(batches(name), batch_size=None)


def trainer(**more: Any) -> lightning.Trainer:
    return lightning.Trainer(**{"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0, **QUIET, **more})


def weights_of(model: System) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in model.parameters()]


@every_system
def test_callbacks_watch_keep_stop_and_average(tmp_path: Path, name: str) -> None:
    model = build(name)
    kept = ModelCheckpoint(tmp_path / "kept", monitor="val/loss", filename="best")
    callbacks = [
        kept,
        EarlyStopping("val/loss", min_delta=math.inf, patience=2, check_finite=False),
        LearningRateMonitor("step"),
        StochasticWeightAveraging(swa_lrs=1e-3, swa_epoch_start=1),
    ]
    logger = CSVLogger(tmp_path / "log")
    fitted = trainer(max_epochs=9, callbacks=callbacks, logger=logger, enable_checkpointing=True, log_every_n_steps=1)
    fitted.fit(model, loader(name), loader(name))
    assert fitted.current_epoch < 8, "nothing improves by infinitely much"
    losses = [seen["val/loss"] for seen in logged(logger) if "val/loss" in seen]
    assert kept.best_model_score is not None and float(kept.best_model_score) == pytest.approx(min(losses), abs=1e-6)
    again = type(model).load_from_checkpoint(kept.best_model_path)
    assert again.hparams == model.hparams
    names = {key for seen in logged(logger) for key in seen}
    assert {"train/loss", "train/loss_step", "val/loss", "lr-Adam"} <= names


def logged(logger: CSVLogger) -> list[dict[str, float]]:
    """What was logged, call by call."""
    with open(Path(logger.log_dir) / "metrics.csv", newline="") as lines:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]


@every_system
def test_predictions_are_the_system_s_answers(name: str) -> None:
    model = build(name).eval()
    answers = trainer().predict(model, loader(name))
    assert answers is not None and len(answers) == 4
    batch, answer = Batch.of(batches(name)[0]), answers[0]
    with torch.no_grad():
        outputs, _ = model(batch.inputs, batch.lengths)
    if name == "language model":
        torch.testing.assert_close(answer, outputs.log_softmax(2))
        whole = torch.cat([Batch.of(each).inputs for each in batches(name)], 1)
        torch.testing.assert_close(torch.cat(answers, 1), model(whole)[0].log_softmax(2).detach())
    elif name == "labels":
        assert torch.equal(answer.labels, model.recognize(batch.inputs).labels)
    elif name == "translation":
        assert torch.equal(answer.tokens, model.translate(batch.inputs, batch.lengths).tokens)
    elif name in ("value", "values", "forecast"):  # of targets that are standardised already
        torch.testing.assert_close(answer, outputs.squeeze(1) if name == "value" else outputs)
    else:
        real = torch.arange(5) < LENGTHS.unsqueeze(1) if batch.lengths is not None else slice(None)
        assert torch.equal(answer[real], outputs.argmax(-1)[real])


SETTINGS = {
    "fast_dev_run": ({"fast_dev_run": True}, 1),
    "overfit": ({"overfit_batches": 2, "max_epochs": 3}, 6),
    "accumulated": ({"accumulate_grad_batches": 3}, 2),
    "bf16": ({"precision": "bf16-mixed"}, 4),
    "limited": ({"limit_train_batches": 0.5, "limit_val_batches": 1}, 2),
}


@pytest.mark.parametrize(("name", "setting"), in_turn([*SYSTEMS], [*SETTINGS]))
def test_a_training_runs_as_the_trainer_says(name: str, setting: str) -> None:
    settings, steps = SETTINGS[setting]
    model, fitted = build(name), trainer(**settings)
    before = weights_of(model)
    fitted.fit(model, loader(name), loader(name))
    assert fitted.global_step == steps
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())
    assert not all(torch.equal(*pair) for pair in zip(before, weights_of(model), strict=True))


@every_system
def test_a_learning_rate_is_found_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    model = build(name, optimizer={"name": "sgd", "lr": 0.5})
    before, found = weights_of(model), trainer(default_root_dir=tmp_path)
    assert model.lr == 0.5
    finder = Tuner(found).lr_find(model, DataLoader(batches(name, 30), batch_size=None), num_training=30, update_attr=True)
    assert finder is not None
    assert model.lr == finder.suggestion() != 0.5
    assert model.hparams["optimizer"] == {"name": "sgd", "lr": model.lr}
    assert all(torch.equal(*pair) for pair in zip(before, weights_of(model), strict=True))
    assert float(model.metric("train").weight) == 0 and getattr(model, "states", {}) == {}
    again, plain = build(name, optimizer={"name": "sgd", "lr": model.lr}), trainer()
    plain.fit(again, loader(name), loader(name))
    fitted = trainer()
    fitted.fit(model, loader(name), loader(name))
    assert all(torch.equal(*pair) for pair in zip(weights_of(again), weights_of(model), strict=True))
    assert fitted.callback_metrics == plain.callback_metrics


@every_system
def test_without_validation_the_training_loss_is_logged(name: str) -> None:
    model, fitted = build(name, optimizer={"name": "sgd", "lr": 0.0}), trainer(max_epochs=2)
    fitted.fit(model, loader(name))
    total = count = 0.0
    for batch in batches(name):
        loss, size = model.loss_on(Batch.of(batch), "train")
        total, count = total + loss.item() * size, count + size
    assert float(fitted.callback_metrics["train/loss"]) == pytest.approx(total / count, rel=1e-5)
    assert "train/loss_step" not in fitted.callback_metrics, "there were only eight steps of the fifty"


@every_system
def test_a_second_fit_is_as_the_first(name: str) -> None:
    """With a learning rate of 0 nothing but what is carried could tell them apart."""
    model, seen = build(name, optimizer={"name": "sgd", "lr": 0.0}), []
    for _ in range(2):
        fitted = trainer()
        fitted.fit(model, loader(name), loader(name))
        seen.append({key: float(value) for key, value in fitted.callback_metrics.items()})
    assert seen[0] == seen[1] and "train/loss" in seen[0]
