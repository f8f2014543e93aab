"""Gradient clipping: how often a vanilla RNN diverges with and without it.

``python -m benchmarks.clipping`` trains a tanh network on the nested language by plain SGD at several learning rates and from
several seeds, with the gradient's norm clipped at 1 and not at all, and writes ``benchmarks/clipping.json``. A training counts
as diverged if its loss stops being finite, or ends above that of guessing all words alike (Pascanu et al. 2013,
arXiv:1211.5063).
"""

import argparse
import json
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tqdm import tqdm

from pipelines.runs.provenance import commit, hardware
from rnn_lightning import LanguageModel, StreamModule
from rnn_lightning.data.module import Batches
from rnn_lightning.files import write_json

HIDDEN = 128
"""Units of the network."""


def final_loss(folder: Path, *, vocabulary: int, lr: float, clip: float, seed: int, steps: int) -> float:
    """The mean training loss (nats) of the last tenth of ``steps``; not finite where the training stopped being so."""
    torch.manual_seed(seed)
    model = LanguageModel(vocabulary, {"cell": "elman", "hidden_size": HIDDEN}, 32).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    dataset = StreamModule(folder, batch_size=32, steps=40, seed=seed).dataset("train")
    losses = []
    for _, name in zip(range(steps), batch_names(dataset), strict=False):
        loss, _ = model.loss_on(dataset[name], "train")
        if not torch.isfinite(loss):
            return math.inf
        optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last)


def batch_names(dataset: Batches) -> Iterator[Any]:
    """The names of the batches, endlessly repeated."""
    while True:
        yield from dataset.in_order()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.clipping", description=__doc__)
    arguments.add_argument("--data", type=Path, default=Path("data/processed/nested"), help="the preprocessed nested language")
    arguments.add_argument("--rates", type=float, nargs="+", default=[0.5, 1.0, 2.0, 4.0, 8.0])
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--steps", type=int, default=200)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    card = json.loads((options.data / "card.json").read_text())
    vocabulary, rows = card["vocabulary_size"], []
    with tqdm(total=2 * len(options.rates) * options.seeds, unit="training") as bar:
        for rate, clip in product(options.rates, (1.0, 0.0)):
            losses = []
            for seed in range(1, options.seeds + 1):
                losses.append(
                    final_loss(options.data, vocabulary=vocabulary, lr=rate, clip=clip, seed=seed, steps=options.steps)
                )
                bar.update()
            diverged = sum(not loss < math.log(vocabulary) for loss in losses)
            rows.append({"lr": rate, "clip": clip or None, "diverged": diverged, "of": options.seeds, "median": median(losses)})
    for row in rows:
        print("SGD at {lr}, clip {clip}: {diverged} of {of} diverged, median final loss {median:.3f} nats".format(**row))
    source = {"steps": options.steps, "data": card["sha256"]["all"], "commit": commit(), "hardware": hardware("cpu")}
    finite = [{**row, "median": row["median"] if math.isfinite(row["median"]) else None} for row in rows]
    write_json(Path(__file__).with_suffix(".json"), {**source, "rows": finite})


if __name__ == "__main__":
    main()
