"""What each process of a training does, alone or as one of two; run in forks of the process that tests."""

import logging
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from corpora import CHARACTERS, TAGS, VOCABULARY, write_pairs, write_sequence_pairs, write_stream, write_tagged

from rnn_lightning import (
    AtomicCheckpointIO,
    CTCRecognizer,
    Durable,
    FrameClassifier,
    LanguageModel,
    PairModule,
    Seq2Seq,
    SequenceClassifier,
    StreamModule,
    System,
    Tagger,
)

LSTM = {"cell": "lstm", "hidden_size": 4}
TWO_WAYS = {**LSTM, "bidirectional": True}
SGD, ADAM = {"name": "sgd", "lr": 0.2}, {"name": "adam", "lr": 0.01}
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
Made = tuple[System, lightning.LightningDataModule]


def write_signals(folder: Path, target: str) -> Path:
    """37 rows of 1 to 9 frames of 3 features, with a class of 0..2 each, or one a frame, or 0 to 4 labels of 1..3."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        lengths = draws.integers(1, 10, 37)
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        arrays = {"inputs": draws.normal(size=(int(offsets[-1]), 3)).astype(np.float32), "input_offsets": offsets}
        counts = {"class": None, "frames": lengths, "labels": draws.integers(0, 5, 37)}[target]
        if counts is None:
            arrays["targets"] = draws.integers(0, 3, 37).astype(np.int32)
        else:
            arrays["target_offsets"] = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
            arrays["targets"] = draws.integers(target == "labels", 4 if target == "labels" else 3, int(counts.sum()))
            arrays["targets"] = arrays["targets"].astype(np.int32)
        np.savez(folder / f"{split}.npz", **arrays)
    return folder


def words(data: Path, *, joined: bool, rows: int = 7, optimizer: dict[str, Any] = SGD, **more: Any) -> Made:
    model = LanguageModel(VOCABULARY, {**LSTM, "num_layers": 2}, 5, optimizer=optimizer, **more)
    return model, StreamModule(write_stream(data), batch_size=rows, steps=70 // rows, joined=joined, epochs=2)


def tagger(data: Path, **more: Any) -> Made:
    spelling = {"kind": "rnn", "embedding_size": 3, "rnn": {**TWO_WAYS, "hidden_size": 3}}
    told = {"num_characters": CHARACTERS, "characters": spelling, "embedding_size": 5, "optimizer": SGD}
    model = Tagger(VOCABULARY, TAGS, TWO_WAYS, **told, **more)
    return model, PairModule(write_tagged(data), batch_size=7, tokens=40, epochs=2)


def signals(model: System, data: Path, target: str) -> Made:
    return model, PairModule(write_signals(data, target), batch_size=5, epochs=2)


def translator(data: Path) -> Made:
    model = Seq2Seq(VOCABULARY, VOCABULARY, LSTM, end=VOCABULARY - 1, embedding_size=5, label_smoothing=0.1, optimizer=SGD)
    return model, PairModule(write_sequence_pairs(data), batch_size=7, eval_batch_size=1, epochs=2)


SYSTEMS: dict[str, Callable[[Path], Made]] = {
    "joined": lambda data: words(data, joined=True, schedule={"name": "plateau", "patience": 0, "threshold": 0.5}),
    "documents": lambda data: words(data, joined=False, rows=23, unit="character"),
    "one column": lambda data: words(data, joined=True, rows=1, evaluation_state="reset"),
    "tagger": lambda data: tagger(data, tags=NAMES, scheme="BIO"),
    "crf": lambda data: tagger(data, output="crf"),
    "translation": translator,
    "values": lambda data: (SequenceClassifier(LSTM, 2, optimizer=SGD), PairModule(write_pairs(data), batch_size=7, epochs=2)),
    "classes": lambda data: signals(SequenceClassifier(TWO_WAYS, 3, num_classes=3, optimizer=SGD), data, "class"),
    "frames": lambda data: signals(FrameClassifier(LSTM, 3, ["a", "b", "c"], delay=2, optimizer=SGD), data, "frames"),
    "labels": lambda data: signals(CTCRecognizer(TWO_WAYS, 3, ["-", "a", "b", " "], optimizer=SGD), data, "labels"),
    "noisy": lambda data: words(data, joined=True, dropout=0.3, optimizer=ADAM),
}
"""Everything that is trained; batches do not divide by two, and the last of some has a single row."""
DETERMINED = [name for name in SYSTEMS if name != "noisy"]


class KilledError(Exception):
    pass


class Watch(lightning.Callback):
    """Keeps what each validation logs; kills all processes after a step, or tells the last of them to stop."""

    def __init__(self, kill: int | None = None, stop: int | None = None) -> None:
        self.kill, self.stop = kill, stop
        self.seen: list[dict[str, float]] = []

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.seen.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: object) -> None:
        if trainer.global_step == self.stop and trainer.global_rank == trainer.world_size - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if trainer.global_step == self.kill:
            raise KilledError


def train(name: str, place: Path, processes: int, work: str = "whole", *, shared: bool = True, **watch: Any) -> dict[str, Any]:
    """Train on from what there is in ``work``, then test; how it ended, the weights and all that was logged."""
    torch.manual_seed(7)
    model, data = SYSTEMS[name](place / "data" / name)
    model.double()  # Lightning does so only after it has restored a checkpoint
    every = 60 if work in ("whole", "alone") else 0
    durable, watching = Durable(place / name / work, seed=3, every_seconds=every), Watch(**watch)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        use_distributed_sampler=not shared,
        precision="64-true",
        max_epochs=1,
        val_check_interval=6,
        check_val_every_n_epoch=None,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[AtomicCheckpointIO()],
        callbacks=[durable, watching],
    )
    ended: Any = "whole"
    try:
        trainer.fit(model, data, ckpt_path=durable.last if durable.last.exists() else None, weights_only=True)
        watching.seen.append(dict(trainer.test(model, data, verbose=False)[0]))
    except (KilledError, SystemExit, ValueError) as error:
        ended = getattr(error, "code", str(error))
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    return {"ended": ended, "step": trainer.global_step, "weights": weights, "seen": watching.seen, "best": durable.best_value}


def main(place: Path, rank: int, port: int) -> None:
    """The process ``rank`` of two that meet at ``port``; leaves all its results in ``place``."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "NODE_RANK": "0"}
    os.environ["LOCAL_RANK"] = str(rank)
    quieten()
    found = {name: train(name, place, 2) for name in SYSTEMS}
    found["refused"] = train("values", place, 2, "refused", shared=False)
    found["killed"] = train("noisy", place, 2, "killed", kill=9)
    found["stopped"] = train("noisy", place, 2, "killed", stop=15)
    found["resumed"] = train("noisy", place, 2, "killed")
    found["left"] = train("joined", place, 2, "left", kill=9)
    found["saved always"] = train("documents", place, 2, "always")
    torch.save(found, place / f"rank{rank}.pt")


def quieten() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
