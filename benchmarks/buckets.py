"""The gain of batches of similar length in training: real target tokens a second, beside batches of any rows.

    python -m benchmarks.buckets task=multi30k_de_en rnn=lstm      writes benchmarks/buckets.json

Both kinds take as many rows a batch, the task's ``batch_size``; the network is the task's, one thread. They train in turn, a
share of an epoch's batches spread over all lengths each time.
"""

import argparse
from functools import partial
from statistics import median

import torch

from benchmarks.timing import seconds, store
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from pipelines.training.building import build_system
from rnn_lightning import Batch, System
from rnn_lightning.files import read_json
from rnn_lightning.sequences import IGNORED


def batches_of(experiment: Experiment, *, buckets: bool, count: int) -> list[Batch]:
    """The first ``count`` batches of an epoch, which is in random order."""
    data = experiment.task.data.build(folder=experiment.processed(), tokens=None, buckets=buckets)
    dataset = data.dataset("train")
    return [dataset[rows] for rows in dataset.order(1, 0)[:count]]


def train(system: System, batches: list[Batch]) -> None:
    """One pass over ``batches`` by Adam."""
    optimizer = torch.optim.Adam(system.parameters())
    for batch in batches:
        optimizer.zero_grad()
        loss, _ = system.loss_on(batch, "train")
        loss.backward()
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    options, overrides = parser.parse_known_args()
    experiment = compose(overrides)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    system = build_system(experiment, read_json(experiment.processed() / "card.json"), planned=1)
    kinds = {kind: batches_of(experiment, buckets=kind == "buckets", count=options.batches) for kind in ("random", "buckets")}
    tokens = {kind: sum(int((batch.targets != IGNORED).sum()) for batch in batches) for kind, batches in kinds.items()}
    numel = {kind: sum(batch.targets.numel() for batch in batches) for kind, batches in kinds.items()}
    speeds = [
        {kind: tokens[kind] / seconds(partial(train, system, batches)) for kind, batches in kinds.items()}
        for _ in range(options.pairs)
    ]
    results = {
        "task": experiment.task_name,
        "target_tokens_per_second": {kind: median(pair[kind] for pair in speeds) for kind in kinds},
        "ratio": median(pair["buckets"] / pair["random"] for pair in speeds),
        "share_of_real_targets": {kind: tokens[kind] / numel[kind] for kind in kinds},
    }
    print(results)
    store(__file__, results)


if __name__ == "__main__":
    exit_on_user_error(main)
