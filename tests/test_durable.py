"""Interrupted trainings: resumed at any step, and again, they end bit-identical; what is damaged or not finite is refused."""

import contextlib
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning
import pytest
import torch
from corpora import VOCABULARY, write_pairs, write_stream
from often import some

from rnn_lightning import (
    AtomicCheckpointIO,
    Durable,
    LanguageModel,
    PairModule,
    SequenceClassifier,
    StreamModule,
    System,
    WeightAverage,
)

TRAINER = {
    "accelerator": "cpu",
    "max_epochs": 1,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "gradient_clip_val": 1.0,
}
PLATEAU = {"name": "plateau", "factor": 0.5, "patience": 0}
COSINE = {"name": "cosine", "T_max": 40}


class KilledError(Exception):
    pass


class KillAfter(lightning.Callback):
    """Ends the training as a kill would: between a step and whatever was to follow it."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: object) -> None:
        if trainer.global_step == self.step:
            raise KilledError


KINDS = ["documents", "pairs", "joined, plateau", "joined, cosine", "augmented", "masks", "packed"]
LAYOUTS = {"joined": {}, "documents": {"joined": False}, "packed": {"joined": False, "packed": True}}


def words(schedule: dict) -> LanguageModel:
    rnn = {"cell": "lstm", "hidden_size": 8, "num_layers": 2, "dropout": 0.2}
    return LanguageModel(VOCABULARY, rnn, 8, dropout=0.3, optimizer={"name": "adam", "lr": 0.01}, schedule=schedule)


def setting(kind: str, folder: Path) -> tuple[System, lightning.LightningDataModule]:
    torch.manual_seed(7)
    if kind == "augmented":
        told = [{"name": "noise", "deviation": 0.3}, {"name": "speed", "factors": [0.7, 1.5]}]
        data = PairModule(write_pairs(folder), batch_size=5, augment=told, seed=3, epochs=2)
        return SequenceClassifier({"cell": "gru", "hidden_size": 4}, 2), data
    if kind == "masks":
        rnn = {"cell": "gru", "hidden_size": 4, "zoneout": 0.3, "recurrent_dropout": 0.3}
        return SequenceClassifier(rnn, 2), PairModule(write_pairs(folder), batch_size=5, seed=3, epochs=2)
    if kind == "pairs":
        rnn = {"cell": "layernorm_lstm", "hidden_size": 4}
        return SequenceClassifier(rnn, 2, dropout=0.2), PairModule(write_pairs(folder), batch_size=5, seed=3, epochs=2)
    model = words(PLATEAU if kind == "joined, plateau" else COSINE)
    data = StreamModule(write_stream(folder), batch_size=8, steps=10, **LAYOUTS[kind.partition(",")[0]], seed=3, epochs=2)
    return model, data


def train(
    kind: str,
    data: Path,
    work: Path,
    *,
    kill: int | None = None,
    accumulate: int = 1,
    average: WeightAverage | None = None,
) -> tuple[int, str, float | None]:
    """Train on from ``work``; returns the steps made, a hash of the weights and optimiser, and the best validation loss."""
    model, module = setting(kind, data)
    durable = Durable(work, seed=3, every_seconds=0)
    trainer = lightning.Trainer(
        **TRAINER,
        val_check_interval=4 if average else 6,
        check_val_every_n_epoch=None,
        accumulate_grad_batches=accumulate,
        plugins=[AtomicCheckpointIO()],
        callbacks=[durable, *([KillAfter(kill)] if kill else []), *([average] if average else [])],
    )
    with contextlib.suppress(KilledError):
        trainer.fit(model, module, ckpt_path=durable.resumable(), weights_only=True)
    return trainer.global_step, fingerprint(model, trainer), durable.best_value


def fingerprint(model: System, trainer: lightning.Trainer) -> str:
    tensors = [*model.parameters()]
    for state in trainer.optimizers[0].state.values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return hashlib.sha256(b"".join(tensor.detach().numpy().tobytes() for tensor in tensors)).hexdigest()


@pytest.mark.parametrize("kind", some(KINDS, 2))
def test_killed_twice_and_resumed_a_training_ends_as_if_nothing_had_happened(tmp_path: Path, kind: str) -> None:
    whole = train(kind, tmp_path / "data", tmp_path / "whole")
    total = whole[0]
    for count, (first, later) in enumerate([(3, 5), (6, 13), (7, total - 1), (12, 15), (total // 2, total // 2 + 7)]):
        work = tmp_path / f"killed{count}"
        train(kind, tmp_path / "data", work, kill=first)
        train(kind, tmp_path / "data", work, kill=later)
        assert train(kind, tmp_path / "data", work) == whole, f"killed after steps {first} and {later} of {total}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_a_good_one_to_be_killed_at(tmp_path: Path, kind: str) -> None:
    whole = train(kind, tmp_path / "data", tmp_path / "whole")
    for step in range(2, whole[0]):
        work = tmp_path / f"killed{step}"
        train(kind, tmp_path / "data", work, kill=step)
        assert train(kind, tmp_path / "data", work) == whole, f"killed after step {step}"


def test_resuming_counts_accumulated_batches(tmp_path: Path) -> None:
    whole = train("joined, cosine", tmp_path / "data", tmp_path / "whole", accumulate=2)
    for step in (3, 5, 7):
        train("joined, cosine", tmp_path / "data", tmp_path / f"{step}", kill=step, accumulate=2)
        assert train("joined, cosine", tmp_path / "data", tmp_path / f"{step}", accumulate=2) == whole


def test_another_seed_is_another_training_and_does_not_resume_this_one(tmp_path: Path) -> None:
    train("pairs", tmp_path / "data", tmp_path / "work", kill=5)
    model, data = setting("pairs", tmp_path / "data")
    trainer = lightning.Trainer(**TRAINER, plugins=[AtomicCheckpointIO()], callbacks=[Durable(tmp_path / "work", seed=4)])
    with pytest.raises(ValueError, match="trained with seed 3, not 4"):
        trainer.fit(model, data, ckpt_path=tmp_path / "work" / "last.ckpt", weights_only=True)


CHILD = """
import sys, logging, warnings, torch
from pathlib import Path
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR); warnings.simplefilter("ignore"); torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from test_durable import train
print("hash", *train(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])), flush=True)
"""


def start(kind: str, data: Path, work: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), kind, str(data), str(work)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(file: Path, child: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if file.exists() or child.poll() is not None:
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} did not appear")


@pytest.mark.parametrize(("number", "code"), some([(signal.SIGTERM, 143), (signal.SIGINT, 130)], 1))
def test_a_signal_saves_and_exits_with_its_code(tmp_path: Path, number: signal.Signals, code: int) -> None:
    write_stream(tmp_path / "data", tokens=20_000)
    model = "documents"
    child = start(model, tmp_path / "data", tmp_path / "work")
    wait_for(tmp_path / "work" / "last.ckpt", child)
    child.send_signal(number)
    _, said = child.communicate(timeout=120)
    assert child.returncode == code, said
    torch.load(tmp_path / "work" / "last.ckpt", weights_only=True)
    assert not list((tmp_path / "work").glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_random_moments(tmp_path: Path, seed: int) -> None:
    import random

    draws = random.Random(seed)
    kind = ["joined, plateau", "documents"][seed % 2]
    child = start(kind, tmp_path / "data", tmp_path / "whole")
    expected, _ = child.communicate(timeout=300)
    kills, wanted, told = 0, draws.randint(3, 6), ""
    for _ in itertools.count():
        child = start(kind, tmp_path / "data", tmp_path / "work")
        if kills < wanted:
            wait_for(tmp_path / "work" / "last.ckpt", child)
            before = (tmp_path / "work" / "last.ckpt").stat().st_mtime_ns
            while child.poll() is None and (tmp_path / "work" / "last.ckpt").stat().st_mtime_ns == before:
                time.sleep(0.002)
            time.sleep(draws.random() * 0.05)
            kills += child.poll() is None
            os.kill(child.pid, signal.SIGKILL)
        told, _ = child.communicate(timeout=300)
        if told:
            break
    assert told == expected
    assert not list((tmp_path / "work").glob(".*.tmp"))


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_finite_weights(tmp_path: Path) -> None:
    class Poisoned(SequenceClassifier):
        def loss_on(self, batch, split):
            loss, count = super().loss_on(batch, split)
            return (loss * torch.nan if split == "train" and self.global_step == 5 else loss), count

    data = PairModule(write_pairs(tmp_path / "data"), batch_size=5)
    durable = Durable(tmp_path / "work", seed=1, every_seconds=0)
    trainer = lightning.Trainer(**TRAINER, limit_val_batches=0, plugins=[AtomicCheckpointIO()], callbacks=[durable])
    with pytest.raises(FloatingPointError, match="the loss is nan at step 5"):
        trainer.fit(Poisoned({"cell": "gru", "hidden_size": 3}, 2), data)
    saved = torch.load(durable.last, weights_only=True)
    assert saved["global_step"] == 5
    assert all(torch.isfinite(weight).all() for weight in saved["state_dict"].values())


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, value: float) -> None:
    class Overflow(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *args: object) -> None:
            if trainer.global_step == 4:
                with torch.no_grad():
                    next(pl_module.parameters())[0] = value

    data = PairModule(write_pairs(tmp_path / "data"), batch_size=5)
    durable = Durable(tmp_path / "work", seed=1, every_seconds=0)
    trainer = lightning.Trainer(**TRAINER, limit_val_batches=0, plugins=[AtomicCheckpointIO()], callbacks=[Overflow(), durable])
    with pytest.raises(FloatingPointError, match="a weight is not finite after step 4"):
        trainer.fit(SequenceClassifier({"cell": "gru", "hidden_size": 3}, 2), data)
    assert torch.load(durable.last, weights_only=True)["global_step"] == 3
