"""The products of a layer's training by oneDNN and by PyTorch's own library, and which of them this processor is given.

    python -m benchmarks.products [--short]      adds this processor to benchmarks/products.json

A layer of U units with four gates, in single precision, on one thread: the product of the inputs of T steps of B rows, the
gradients of these inputs and of the weight, and the recurrent product of a step ahead and back.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.timing import in_turn
from pipelines.runs.provenance import commit, hardware
from rnn_lightning.files import read_json, write_json
from rnn_lightning.products import product, takes_onednn

SHAPES = [(35, 16, 256), (35, 64, 512), (64, 32, 450), (400, 16, 128)]
"""T, B and U."""
Row = dict[str, Any]


def products_of(steps: int, rows: int, units: int) -> dict[str, tuple[Tensor, Tensor]]:
    """The two matrices of each product, of which the second is transposed."""
    weight, inputs, gradients = (
        torch.randn(4 * units, units),
        torch.randn(steps * rows, units),
        torch.randn(steps * rows, 4 * units),
    )
    return {
        "inputs": (inputs, weight),
        "gradient of the inputs": (gradients, weight.t()),
        "gradient of the weight": (gradients.t(), inputs.t()),
        "a step": (inputs[:rows], weight),
        "a step back": (gradients[:rows], weight.t()),
    }


def by(onednn: bool, left: Tensor, right: Tensor) -> Callable[[], None]:
    """The product by oneDNN, if it is large enough, or by PyTorch."""

    def run() -> None:
        with patch("rnn_lightning.products.takes_onednn", lambda: onednn):
            product(left, right)

    return run


def compare(steps: int, rows: int, units: int) -> list[Row]:
    """The milliseconds of each product in both ways."""
    found = []
    for name, matrices in products_of(steps, rows, units).items():
        times = in_turn({"onednn": by(True, *matrices), "pytorch": by(False, *matrices)})
        row = {"steps": steps, "rows": rows, "units": units, "product": name}
        row |= {f"{way}_milliseconds": 1000 * spread.median for way, spread in times.items()}
        found.append(row | {"pytorch_beside_onednn": times["onednn"].median / times["pytorch"].median})
        print(
            f"T {steps}, B {rows}, U {units}, {name}: PyTorch's is {found[-1]['pytorch_beside_onednn']:.2f} x as fast",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small shape")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = [row for shape in ([(7, 2, 8)] if options.short else SHAPES) for row in compare(*shape)]
    file = Path(__file__).with_suffix(".json")
    known = read_json(file) if file.exists() else {}
    taken = "oneDNN" if takes_onednn() else "PyTorch"
    write_json(file, {**known, hardware("cpu"): {"taken": taken, "commit": commit(), "products": rows}})


if __name__ == "__main__":
    main()
