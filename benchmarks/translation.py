"""Speed of training a translation model, beside JoeyNMT where it is installed.

    python -m benchmarks.translation [--batches 4] [--rounds 3]      writes benchmarks/translation.json

The model is that of `benchmarks.search`; one thread, with input feeding and without, with full products and with those that
PyTorch calls medium. Batches have 64 pairs, whose lengths are drawn like those of Multi30k (mean 13, deviation 4), similar
lengths together. A step is loss, backward pass, clipping and Adam; counted are target tokens without padding.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.peers import joeynmt, joeynmt_is_there, joeynmt_loss
from benchmarks.search import END, VOCABULARY, model
from benchmarks.timing import in_turn, store
from rnn_lightning import Seq2Seq
from rnn_lightning.sequences import IGNORED, Batch

PAIRS, MEAN, DEVIATION, LEAST = 64, 13, 4, 4
NORM = 1.0
"""The norm to which gradients are clipped."""


class Sentences(NamedTuple):
    """A batch: ``sources`` (B, S), ``targets`` (B, T), and the lengths (B,) of both, the longest source first."""

    sources: Tensor
    source_lengths: Tensor
    targets: Tensor
    target_lengths: Tensor

    @property
    def real(self) -> Tensor:
        """Which of the targets are no padding: (B, T)."""
        return torch.arange(self.targets.shape[1]) < self.target_lengths.unsqueeze(1)


def batches(count: int) -> list[Sentences]:
    """So many batches of random tokens, evenly spread over the lengths of many."""
    draws = torch.Generator().manual_seed(0)
    lengths = (MEAN + DEVIATION * torch.randn(20 * count * PAIRS, 2, generator=draws)).round().clamp(LEAST).long()
    by_length = lengths[lengths.max(1).values.argsort()].view(20 * count, PAIRS, 2)[10::20]
    made = []
    for some in by_length:
        ordered = some[some[:, 0].argsort(descending=True)]
        tokens = [torch.randint(4, VOCABULARY, (PAIRS, int(side.max())), generator=draws) for side in ordered.unbind(1)]
        made.append(Sentences(tokens[0], ordered[:, 0], tokens[1], ordered[:, 1]))
    return made


def our_loss(system: Seq2Seq, batch: Sentences) -> Tensor:
    """Our loss of a batch, each of whose targets ends with `END`."""
    targets = batch.targets.masked_fill(~batch.real, IGNORED).scatter(1, batch.target_lengths.unsqueeze(1) - 1, END)
    return system.loss_on(Batch(batch.sources, batch.source_lengths, targets, batch.target_lengths), "train")[0]


def their_loss(network: torch.nn.Module, batch: Sentences) -> Tensor:
    """JoeyNMT's loss of a batch."""
    return joeynmt_loss(network, batch.sources, batch.source_lengths, batch.targets, batch.real)


def steps(network: torch.nn.Module, loss: Callable[[Sentences], Tensor], some: list[Sentences], precision: str) -> None:
    """A training step on each batch."""
    torch.set_float32_matmul_precision(precision)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6)
    for batch in some:
        optimizer.zero_grad()
        loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), NORM)
        optimizer.step()


def compare(some: list[Sentences], rounds: int, *, input_feeding: bool) -> dict[str, float]:
    """Target tokens a second of every form."""
    system, forms = model(input_feeding=input_feeding).train(), {}
    contestants = {"ours": (system, partial(our_loss, system))}
    if joeynmt_is_there():
        network = joeynmt(VOCABULARY, input_feeding=input_feeding).train()
        contestants["joeynmt"] = (network, partial(their_loss, network))
    for precision in ("highest", "medium"):
        for name, (network, loss) in contestants.items():
            forms[f"{name}, {precision}"] = partial(steps, network, loss, some, precision)
    tokens = sum(int(batch.target_lengths.sum()) for batch in some)
    return {name: tokens / spread.median for name, spread in in_turn(forms, rounds=rounds).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    some, rows = batches(options.batches), {}
    for name, feeding in (("input feeding", True), ("no feeding", False)):
        rows[name] = compare(some, options.rounds, input_feeding=feeding)
        print(f"{name}: " + ", ".join(f"{form} {speed:.0f}" for form, speed in rows[name].items()), flush=True)
    store(__file__, {"target_tokens_per_second": rows})


if __name__ == "__main__":
    main()
