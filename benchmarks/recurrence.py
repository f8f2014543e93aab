"""Speed of the recurrent networks in training: beside torch.nn, beside a loop over a cell, and with lengths beside packing.

    python -m benchmarks.recurrence [--short]      writes benchmarks/recurrence.json and benchmarks/recurrence.png

One layer, as many features as hidden units, forward and backward pass, single precision, one thread on a CPU. All forms of a
row run in turn in one process. ``units_per_second`` counts the steps of all rows, ``share`` is the rate of the cell's products
beside the machine's own rate for a product of 1024 x 1024. With lengths, rows have T/2 to T real steps. The last part follows
time, and the memory that the backward pass keeps, as steps, rows and units grow, and fits their exponents.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.plain_cells import loop
from benchmarks.recurrence_picture import draw
from benchmarks.timing import in_turn, store
from rnn_lightning.recurrent import CELLS, Recurrent, build_network, fused_layers
from rnn_lightning.recurrent.fused import Fused

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = [(steps, rows, units) for units in (128, 512) for steps in (35, 400) for rows in (1, 16, 64)]
LONG = {"steps": 2000, "rows": 8, "units": 256, "layers": 2, "bidirectional": True}
STEP_SIZES = [(35, 16, 256), (100, 1, 256)]
Row = dict[str, Any]


def training(network: Callable[..., tuple[Tensor, Any]], *arguments: Any) -> Callable[[], None]:
    """One forward and backward pass."""

    def run() -> None:
        network(*arguments)[0].sum().backward()

    return run


@contextmanager
def packing() -> Iterator[None]:
    """All rows of unlike lengths are packed."""
    with patch.object(Fused, "_groups", lambda self, inputs, lengths: []), patch.object(Fused, "at_once", False):
        yield


def packed(network: Recurrent, inputs: Tensor, lengths: Tensor) -> Callable[[], None]:
    def run() -> None:
        with packing():
            training(network, inputs, lengths)()

    return run


def product_rate() -> float:
    """FLOP/s of a float32 product of 1024 x 1024 matrices."""
    left, right = (torch.randn(1024, 1024, device=DEVICE) for _ in range(2))
    return 2 * 1024**3 / in_turn({"product": lambda: left @ right})["product"].median


def compare(cell: str, steps: int, rows: int, units: int, *, lengths: bool, rate: float, **layout: Any) -> Row:
    """A row of the table: ours, and what stands beside it."""
    torch.manual_seed(0)
    network = build_network(cell, units, units, layout.get("layers", 1), bidirectional=layout.get("bidirectional", False))
    network, inputs = network.to(DEVICE), torch.randn(rows, steps, units, device=DEVICE)
    real = torch.randint(steps // 2, steps + 1, (rows,)).index_fill(0, torch.tensor(0), steps)
    ours = training(network, inputs, real) if lengths else training(network, inputs)
    if lengths:
        other, form = packed(network, inputs, real), "packing"
    elif CELLS[cell].backend == "fused":
        other, form = training(cast(Any, fused_layers(network)[0]).core, inputs), "torch.nn"
    else:
        other, form = training(loop, cell, cast(Any, network).layers[0].cell, inputs), "loop over a plain cell"
    long = steps * rows * units**2 > 2e8
    times = in_turn({"ours": ours, "other": other}, rounds=3 if long else 7)
    counted = int(real.sum()) if lengths else rows * steps
    products = 3 * 2 * 2 * len(CELLS[cell].gates) * units**2 * counted
    return {
        **{
            "cell": cell,
            "steps": steps,
            "rows": rows,
            "units": units,
            "lengths": lengths,
            "backend": CELLS[cell].backend_on(DEVICE),
        },
        **layout,
        **{"milliseconds": 1000 * times["ours"].median, "least": 1000 * times["ours"].least, "most": 1000 * times["ours"].most},
        "units_per_second": counted / times["ours"].median,
        "share": None if layout else products / times["ours"].median / rate,
        **{"beside": form, "other_milliseconds": 1000 * times["other"].median},
        "ratio": times["other"].median / times["ours"].median,
    }


def kept_for_backward(action: Callable[[], object]) -> int:
    """The bytes of the tensors that a pass keeps for its backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        action()
    return sum(kept.values())


GROWTH: dict[str, list[int]] = {"steps": [250, 500, 1000, 2000, 4000], "rows": [8, 16, 32, 64], "units": [64, 128, 256]}


def growth(cell: str, what: str, values: list[int]) -> Row:
    """Time and memory with lengths as one size grows, the others held; and the exponents of the best power law."""
    taken, kept = [], []
    for value in values:
        sizes = {"steps": 400, "rows": 8, "units": 64} | {what: value}
        torch.manual_seed(0)
        network = build_network(cell, sizes["units"], sizes["units"]).to(DEVICE)
        inputs = torch.randn(sizes["rows"], sizes["steps"], sizes["units"], device=DEVICE)
        lengths = torch.randint(sizes["steps"] // 2, sizes["steps"] + 1, (sizes["rows"],))
        taken.append(in_turn({"ours": training(network, inputs, lengths)}, rounds=3)["ours"].median)
        kept.append(kept_for_backward(lambda network=network, inputs=inputs, lengths=lengths: network(inputs, lengths)))
    exponents = {"time_exponent": exponent(values, taken), "memory_exponent": exponent(values, kept)}
    return {"cell": cell, "grows": what, "values": values, "seconds": taken, "bytes": kept, **exponents}


def exponent(sizes: list[int], values: list[Any]) -> float:
    """The slope of a line through the logarithms."""
    x, y = ([math.log(value) for value in each] for each in (sizes, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def measure(*, short: bool) -> tuple[list[Row], list[Row]]:
    """All rows, printed as they come."""
    rate, rows, grown = product_rate(), [], []
    fused = [cell for cell in CELLS if CELLS[cell].backend == "fused"]
    own = ["layernorm_lstm", "peephole_lstm"]
    sizes, lengths = ([(7, 2, 8)] if short else SIZES), ([(7, 2, 8)] if short else [size for size in SIZES if size[1] > 1])
    plan = [(cell, *size, False) for cell in fused for size in sizes]
    plan += [(cell, *size, False) for cell in own for size in (sizes if short else STEP_SIZES)]
    plan += [(cell, *size, True) for cell in fused for size in lengths]
    for cell, steps, count, units, with_lengths in plan:
        rows.append(show(compare(cell, steps, count, units, lengths=with_lengths, rate=rate)))
    if not short:
        long = {name: LONG[name] for name in ("layers", "bidirectional")}
        rows.append(show(compare("lstm", LONG["steps"], LONG["rows"], LONG["units"], lengths=True, rate=rate, **long)))
    for cell in fused:
        for what, values in GROWTH.items():
            grown.append(growth(cell, what, [4, 8] if short else values))
            time, memory = (grown[-1][f"{of}_exponent"] for of in ("time", "memory"))
            print(f"{cell}: time grows with {what} to the {time:.2f}, memory to the {memory:.2f}", flush=True)
    return rows, grown


def show(row: Row) -> Row:
    sizes = f"T {row['steps']}, B {row['rows']}, H {row['units']}{', lengths' if row['lengths'] else ''}"
    print(f"{row['cell']}, {sizes}: {row['milliseconds']:.2f} ms, {row['ratio']:.2f} x {row['beside']}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small size of each form")
    options = parser.parse_args()

    torch.set_num_threads(1)
    rows, grown = measure(short=options.short)
    draw(rows, grown, store(__file__, {"rows": rows, "growth": grown}).with_suffix(".png"))


if __name__ == "__main__":
    main()
