"""Speed of a CRF's decoding over numbers of tags, steps and rows, beside pytorch-crf where that is installed.

    python -m benchmarks.viterbi

Rows have T/2 to T steps. Both decode the same emissions by the same weights, in turn, in processor time, on one thread; in
double precision they find the same tags. Writes benchmarks/viterbi.json.
"""

import argparse
import copy
import importlib
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.timing import in_turn, store
from rnn_lightning import LinearChainCRF

TAGS, STEPS, ROWS = (5, 17, 50), (10, 35, 100, 400), (1, 8, 64)
PEER = "torchcrf"


def decoders(tags: int, steps: int, rows: int) -> dict[str, Any]:
    """By name, what decodes the same batch."""
    field, emissions = LinearChainCRF(tags), 2 * torch.randn(rows, steps, tags)
    for weight in field.parameters():
        nn.init.normal_(weight)
    lengths = torch.randint(max(steps // 2, 1), steps + 1, (rows,)).index_fill(0, torch.tensor(0), steps)
    forms: dict[str, Any] = {"seconds": partial(field.decode, emissions, lengths)}
    if find_spec(PEER):
        forms[PEER] = peer(field, emissions, lengths)
        exact, wide = copy.deepcopy(field).double(), emissions.double()
        found = exact.decode(wide, lengths).tags[:, 0]
        assert [row[row >= 0].tolist() for row in found] == peer(exact, wide, lengths)(), "the two find other tags"
    return forms


@torch.no_grad()
def peer(field: LinearChainCRF, emissions: Tensor, lengths: Tensor) -> Any:
    """The same by pytorch-crf."""
    other = importlib.import_module(PEER).CRF(field.num_tags, batch_first=True).to(emissions.dtype)
    other.start_transitions.copy_(field.start)
    other.end_transitions.copy_(field.end)
    other.transitions.copy_(field.transitions)
    return partial(other.decode, emissions, torch.arange(emissions.shape[1]) < lengths.unsqueeze(1))


def measure(tags: int, steps: int, rows: int, rounds: int) -> dict[str, float]:
    """The medians in seconds, and how much faster than pytorch-crf it is."""
    taken = {name: spread.median for name, spread in in_turn(decoders(tags, steps, rows), rounds=rounds).items()}
    ratio = {"ratio": round(taken[PEER] / taken["seconds"], 2)} if PEER in taken else {}
    return {"tags": tags, "steps": steps, "rows": rows} | {name: float(f"{each:.4g}") for name, each in taken.items()} | ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    measured = []
    for tags, steps, rows in product(TAGS, STEPS, ROWS):
        measured.append(measure(tags, steps, rows, options.rounds))
        print(", ".join(f"{name} {value:g}" for name, value in measured[-1].items()), flush=True)
    store(__file__, {"decoding": measured})


if __name__ == "__main__":
    main()
