"""Speed of Newton's method over time in training, beside the steps of the same cell, a loop of PyTorch, and torch.nn.LSTM.

    python -m benchmarks.newton [--short]      writes benchmarks/newton.json

One layer, as many features as hidden units, single precision, one thread on a CPU, weights as they start. ``steps`` finds the
states by a loop without a graph and has their gradients from one scan; ``loop`` is a graph of every step. All forms of a size
run in turn in one process; ``ratio`` is the time of the steps over that of a form.
"""

import argparse
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from benchmarks.recurrence import DEVICE, Row, kept_for_backward, training
from benchmarks.timing import in_turn, store
from rnn_lightning.recurrent import build_network, newton_iterations

SIZES = [(100, 16, 128), (400, 16, 128), (400, 1, 32), (2000, 1, 32)]
CELLS = ("diagonal_gru", "diagonal_lstm")


def solvers(cell: str, steps: int, rows: int, units: int) -> list[Row]:
    """A forward and backward pass of a cell by each solver."""
    torch.manual_seed(0)
    inputs = torch.randn(rows, steps, units, device=DEVICE)
    by_steps: Any = build_network(cell, units, units).to(DEVICE)
    by_newton = build_network(cell, units, units, solver="newton").to(DEVICE)
    by_newton.load_state_dict(by_steps.state_dict())
    loop = deepcopy(by_steps)
    loop.layers[0].at_once = False
    lstm = nn.LSTM(units, units, batch_first=True).to(DEVICE)
    networks = {"steps": by_steps, "newton": by_newton, "loop": loop, "torch.nn.LSTM": lstm}
    forms = {name: training(network, inputs) for name, network in networks.items()}
    times, sizes = in_turn(forms, rounds=5), {"cell": cell, "steps": steps, "rows": rows, "units": units}
    return [
        show(
            {
                **{**sizes, "form": name, "milliseconds": 1000 * spread.median},
                **{"least": 1000 * spread.least, "most": 1000 * spread.most, "kept_mb": kept_for_backward(forms[name]) / 1e6},
                **{"iterations": newton_iterations(networks[name]), "beside": "steps"},
                "ratio": times["steps"].median / spread.median,
            }
        )
        for name, spread in times.items()
    ]


def show(row: Row) -> Row:
    sizes = f"T {row['steps']}, B {row['rows']}, H {row['units']}"
    taken = f"{row['milliseconds']:.2f} ms, {row['ratio']:.2f} x the steps, {row['iterations']} iterations"
    print(f"{row['cell']}, {row['form']}, {sizes}: {taken}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small size")
    options = parser.parse_args()

    torch.set_num_threads(1)
    sizes = [(7, 2, 8)] if options.short else SIZES
    store(__file__, {"solvers": [row for cell in CELLS for size in sizes for row in solvers(cell, *size)]})


if __name__ == "__main__":
    main()
