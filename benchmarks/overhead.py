"""The overhead of the system and Lightning's Trainer in a training step: the same network in a bare PyTorch loop, in turn.

``python -m benchmarks.overhead`` trains both in one process, alternately, on random tokens of WikiText-2's shape (vocabulary
33,278, 2 x 650 units, 20 rows of 35 steps), and prints the ratio pair by pair.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch

from benchmarks.timing import seconds
from pipelines.training.trainers import quieten
from rnn_lightning import AtomicCheckpointIO, Durable, LanguageModel, StreamModule
from rnn_lightning.sequences import map_state
from rnn_lightning.systems.language_model import cross_entropy

VOCABULARY, ROWS, STEPS = 33278, 20, 35


def model(units: int) -> LanguageModel:
    """A word model of two layers, with random weights."""
    torch.manual_seed(0)
    rnn = {"cell": "lstm", "num_layers": 2, "hidden_size": units, "dropout": 0.5}
    return LanguageModel(VOCABULARY, rnn, units, tied=True, dropout=0.5, optimizer={"name": "sgd", "lr": 1.0})


def corpus(folder: Path, batches: int) -> None:
    """Write a stream corpus of random tokens for so many ``batches``."""
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, ROWS * (STEPS * batches) + 1).astype(np.int32)
    for split in ("train", "validation", "test"):
        np.savez(
            folder / f"{split}.npz", tokens=tokens, documents=np.array([0, len(tokens)]), scored=np.ones(len(tokens), bool)
        )


def bare(folder: Path, units: int) -> Callable[[], None]:
    """One pass over the data in a plain loop: forward, the same loss, backward, clip, step, carry the state."""
    system = model(units).train()
    optimizer = torch.optim.SGD(system.parameters(), lr=1.0)
    dataset = StreamModule(folder, batch_size=ROWS, steps=STEPS).dataset("train")
    batches = [dataset[name] for name in dataset.in_order()]

    def run() -> None:
        state = None
        for batch in batches:
            hidden, state = system.network(system.input_dropout(system.embedding(batch.inputs)), None, state)
            hidden = system.output_dropout(hidden).flatten(0, 1)
            loss = cross_entropy(hidden, system.output, batch.targets.flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(system.parameters(), 0.25)
            optimizer.step()
            state = map_state(torch.Tensor.detach, state)

    return run


def trained(folder: Path, units: int) -> Callable[[], None]:
    """The same pass through ``LanguageModel``, ``StreamModule``, ``Durable`` and the Trainer."""
    system = model(units)

    def run() -> None:
        data = StreamModule(folder, batch_size=ROWS, steps=STEPS)
        durable: Any = Durable(folder / "work", seed=1, every_seconds=1e9)
        durable.on_train_end = lambda *_: None  # the final save is not part of a step
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            gradient_clip_val=0.25,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            plugins=[AtomicCheckpointIO()],
            callbacks=[durable],
        )
        trainer.fit(system, data)

    return run


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    arguments.add_argument("--units", type=int, default=650)
    arguments.add_argument("--batches", type=int, default=8, help="steps of a pass")
    arguments.add_argument("--pairs", type=int, default=7)
    options = arguments.parse_args()
    quieten()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        corpus(Path(name), options.batches)
        one, other = trained(Path(name), options.units), bare(Path(name), options.units)
        one()
        other()
        pairs = [(seconds(one), seconds(other)) for _ in range(options.pairs)]
    for with_trainer, plain in pairs:
        step, bare_step = with_trainer / options.batches, plain / options.batches
        print(f"system {step:.3f} s a step, bare loop {bare_step:.3f} s, ratio {step / bare_step:.3f}")
    print(f"median ratio {statistics.median(a / b for a, b in pairs):.3f}")


if __name__ == "__main__":
    main()
