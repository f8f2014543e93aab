"""Whole training steps of tasks, beside the same steps as PyTorch alone computes them.

    python -m benchmarks.steps [--batches 8] [TASK/RNN ...]      adds to benchmarks/steps.json

The other form packs rows of unlike lengths, takes every product from PyTorch, and runs step-by-step cells as a loop. Both take
the same batches of the task, spread over an epoch, in turn in one process with one thread: loss, backward pass, clipping, Adam.
The tasks' data must be there (`dvc repro`, or fetch and preprocess).
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks.recurrence import packing
from benchmarks.timing import in_turn
from pipelines.runs.provenance import commit, hardware
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from rnn_lightning import Batch, System
from rnn_lightning.files import read_json, write_json
from rnn_lightning.recurrent import Unrolled

TASKS = ["phonemes/bilstm", "phonemes_ctc/bilstm", "unipen/bilstm", "ewt/bilstm", "multi30k_de_en/lstm", "mnist_rows/lstm"]


@contextmanager
def pytorch_alone() -> Iterator[None]:
    """Packing, PyTorch's products, and loops over cells."""
    loops, products = patch.object(Unrolled, "at_once", False), patch("rnn_lightning.products.takes_onednn", bool)
    with packing(), loops, products:
        yield


def batches_of(experiment: Experiment, count: int) -> list[Batch]:
    """So many batches, evenly spread over an epoch's in the order of their lengths."""
    dataset = experiment.task.data.build(folder=experiment.processed(), seed=1, epochs=1).dataset("train")
    batches = sorted((dataset[rows] for rows in dataset.order(1, 0)), key=lambda batch: batch.inputs.shape[1])
    return [batches[int((place + 0.5) * len(batches) / count)] for place in range(count)]


def step(system: System, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """One step of training."""
    optimizer.zero_grad()
    loss, _ = system.loss_on(batch, "train")
    loss.backward()
    torch.nn.utils.clip_grad_norm_(system.parameters(), 1.0)
    optimizer.step()


def forms(system: System, batches: list[Batch]) -> dict[str, Callable[[], None]]:
    """A pass over the batches in each form."""
    optimizer = torch.optim.Adam(system.parameters(), lr=1e-6)

    def ours() -> None:
        for batch in batches:
            step(system, optimizer, batch)

    def other() -> None:
        with pytorch_alone():
            ours()

    return {"ours": ours, "other": other}


def measure(task: str, count: int) -> dict[str, object]:
    """The milliseconds of a step in both forms."""
    name, rnn = task.split("/")
    experiment = compose([f"task={name}", f"rnn={rnn}"])
    torch.manual_seed(0)
    system = build_system(experiment, read_json(experiment.processed() / "card.json"), planned=1)
    batches = batches_of(experiment, count)
    times = in_turn(forms(system, batches), rounds=3)
    per_step = {form: 1000 * spread.median / count for form, spread in times.items()}
    origin = {"hardware": hardware("cpu"), "threads": 1, "commit": commit()}
    steps = [batch.inputs.shape[1] for batch in batches]
    ratio = per_step["other"] / per_step["ours"]
    return {"milliseconds": per_step, "ratio": ratio, "batches": count, "longest": max(steps), "shortest": min(steps)} | origin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="*", default=TASKS)
    parser.add_argument("--batches", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    file = Path(__file__).with_suffix(".json")
    for task in options.task:
        figures = measure(task, options.batches)
        write_json(file, (read_json(file) if file.exists() else {}) | {task: figures})
        print(f"{task}: {figures['ratio']:.2f} x", flush=True)


if __name__ == "__main__":
    exit_on_user_error(main)
