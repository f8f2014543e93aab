"""Every cell in one table: its source, the numbers of its state, its parameters, and its cost in training beside torch.nn.LSTM.

    python -m benchmarks.cells [--short]      writes benchmarks/cells.json, of which docs/cells.md shows the table

One layer, as many features as hidden units, single precision, one thread on a CPU, options as they are by default. All cells
and torch.nn.LSTM run in turn in one process, at a shape as of words and at one as of signals; ``cost`` is the time of a forward
and backward pass over that of torch.nn.LSTM. Cells that scan have their parallel form on a GPU, and a loop over the scan here.
"""

import argparse
import re
from typing import Any

import torch
from torch import nn

from benchmarks.recurrence import DEVICE, Row, training
from benchmarks.timing import in_turn, store
from rnn_lightning import count_parameters
from rnn_lightning.recurrent import CELLS, build_network
from rnn_lightning.sequences import leaves

SHAPES = [(35, 20, 200), (400, 16, 64)]
"""Steps, rows and units."""
WIDTH = 128
"""Features and hidden units of the networks whose numbers are counted."""
BASELINE = "torch.nn.LSTM"


def described(cell: str) -> Row:
    """What a cell is, and how large at `WIDTH`."""
    network = build_network(cell, WIDTH, WIDTH)
    state = sum(part.numel() for part in leaves(network.start(torch.empty(1, 1, WIDTH))))
    kind = CELLS[cell]
    sizes = {"width": WIDTH, "state": state, "parameters": count_parameters(network)}
    return {"cell": cell, "label": kind.label, "source": source_of(kind), "backend": kind.backend_on(DEVICE), **sizes}


def source_of(kind: type) -> str:
    """The paper of a cell: what its docstring names first in brackets with a year; nothing where it names none."""
    found = re.search(r"\(((?:[A-Z]|van )[^()]*\b(?:19|20)\d\d\b[^()]*)\)", " ".join((kind.__doc__ or "").split()))
    return found[1] if found else ""


def costs(steps: int, rows: int, units: int) -> dict[str, float]:
    """The milliseconds of a forward and backward pass, by cell and of torch.nn.LSTM."""
    torch.manual_seed(0)
    inputs = torch.randn(rows, steps, units, device=DEVICE)
    networks: dict[str, Any] = {cell: build_network(cell, units, units).to(DEVICE) for cell in CELLS}
    networks[BASELINE] = nn.LSTM(units, units, batch_first=True).to(DEVICE)
    times = in_turn({name: training(network, inputs) for name, network in networks.items()}, rounds=5)
    return {name: 1000 * spread.median for name, spread in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small shape")
    options = parser.parse_args()

    torch.set_num_threads(1)
    rows, shapes = [described(cell) for cell in CELLS], [(5, 2, 8)] if options.short else SHAPES
    for shape in shapes:
        taken = costs(*shape)
        for row in rows:
            sizes = dict(zip(("steps", "rows", "units"), shape, strict=True))
            cost = {"milliseconds": taken[row["cell"]], "cost": taken[row["cell"]] / taken[BASELINE]}
            row.setdefault("costs", []).append(sizes | cost)
            print(f"{row['cell']}, {sizes}: {cost['milliseconds']:.2f} ms, {cost['cost']:.2f} x {BASELINE}", flush=True)
    store(__file__, {"cells": rows})


if __name__ == "__main__":
    main()
