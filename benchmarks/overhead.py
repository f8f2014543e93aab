"""The overhead of the system and Lightning's Trainer in a training step: the same network in a bare PyTorch loop, in turn.

    python -m benchmarks.overhead [--pairs 7]      writes benchmarks/overhead.json

Both train in one process, alternately, on random tokens: word models of WikiText-2's shape (vocabulary 33,278, 20 rows of 35
steps), and a small one. A pass through the Trainer counts as a whole, with what begins and ends it.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch

from benchmarks.timing import seconds, store
from pipelines.training.trainers import quieten
from rnn_lightning import AtomicCheckpointIO, Durable, LanguageModel, StreamModule
from rnn_lightning.sequences import map_state
from rnn_lightning.systems.language_model import cross_entropy

ROWS, STEPS = 20, 35


class Case(NamedTuple):
    """A word model and the steps of a pass over its data."""

    vocabulary: int
    units: int
    batches: int


CASES = {"2 x 650 units": Case(33278, 650, 8), "2 x 200 units": Case(33278, 200, 16), "a small step": Case(500, 64, 400)}


def model(case: Case) -> LanguageModel:
    """A word model of two layers, with random weights."""
    torch.manual_seed(0)
    rnn = {"cell": "lstm", "num_layers": 2, "hidden_size": case.units, "dropout": 0.5}
    return LanguageModel(case.vocabulary, rnn, case.units, tied=True, dropout=0.5, optimizer={"name": "sgd", "lr": 1.0})


def corpus(folder: Path, case: Case) -> None:
    """Write a stream corpus of random tokens for the steps of a ``case``."""
    tokens = np.random.default_rng(0).integers(0, case.vocabulary, ROWS * (STEPS * case.batches) + 1).astype(np.int32)
    for split in ("train", "validation", "test"):
        np.savez(
            folder / f"{split}.npz", tokens=tokens, documents=np.array([0, len(tokens)]), scored=np.ones(len(tokens), bool)
        )


def bare(folder: Path, case: Case) -> Callable[[], None]:
    """One pass over the data in a plain loop: forward, the same loss, backward, clip, step, carry the state."""
    system = model(case).train()
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


def trained(folder: Path, case: Case) -> Callable[[], None]:
    """The same pass through ``LanguageModel``, ``StreamModule``, ``Durable`` and the Trainer."""
    system = model(case)

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


def compare(case: Case, pairs: int) -> dict[str, float]:
    """The median seconds of a step of both, and of their ratio pair by pair."""
    with tempfile.TemporaryDirectory() as name:
        corpus(Path(name), case)
        one, other = trained(Path(name), case), bare(Path(name), case)
        one()
        other()
        taken = [(seconds(one) / case.batches, seconds(other) / case.batches) for _ in range(pairs)]
    steps, bare_steps = zip(*taken, strict=True)
    ratio = statistics.median(a / b for a, b in taken)
    return {"step": statistics.median(steps), "bare_step": statistics.median(bare_steps), "ratio": ratio}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    arguments.add_argument("--pairs", type=int, default=7)
    options = arguments.parse_args()
    quieten()
    torch.set_num_threads(1)
    results = {}
    for name, case in CASES.items():
        results[name] = case._asdict() | compare(case, options.pairs)
        print(
            f"{name}: {1000 * results[name]['step']:.1f} ms a step, {results[name]['ratio']:.3f} of the bare loop", flush=True
        )
    store(__file__, {"cases": results})


if __name__ == "__main__":
    main()
