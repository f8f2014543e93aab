"""Speed of the cells that read all steps at once, beside torch.nn.LSTM in training, and of the forms of a scan.

    python -m benchmarks.scan [--short]      writes benchmarks/scan.json

One layer, as many features as hidden units, single precision, one thread on a CPU. All forms of a table run in turn in one
process; ``ratio`` is the time of what stands beside a form over its own. The minimal GRU also runs in log space, as published.
The mLSTM in chunks stands beside the loop over its steps, which keeps a matrix for each of them.
The forms of a scan compute the recurrence alone: one kernel a step, rounds of doubling, and running products and sums within
chunks, which divide by products and so are not for use.
"""

import argparse
from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmarks.plain_cells import min_gru_in_log_space
from benchmarks.recurrence import DEVICE, Row, kept_for_backward, training
from benchmarks.timing import in_turn, store
from rnn_lightning.recurrent import CELLS, build_network
from rnn_lightning.recurrent.parallel import by_doubling, by_loop

SIZES = [(400, 16, 256), (35, 16, 256), (400, 64, 128)]
NAMES = ["mingru", "minlstm", "sru", "qrnn", "qrnn1", "lru", "indrnn", "mlstm"]
HEADS = [(1000, 8, 128, 1), (1000, 8, 128, 4)]
CHUNK = 16


def cells(steps: int, rows: int, units: int) -> list[Row]:
    """A forward and backward pass of each cell beside ``torch.nn.LSTM``."""
    torch.manual_seed(0)
    inputs = torch.randn(rows, steps, units, device=DEVICE)
    networks = {name: build_network(name, units, units).to(DEVICE) for name in NAMES}
    forms = {name: training(network, inputs) for name, network in networks.items()}
    minimal, start = cast(Any, networks["mingru"]).layers[0].cell, torch.full((rows, units), 0.5, device=DEVICE)
    forms["mingru in log space"] = training(min_gru_in_log_space, minimal, inputs, start)
    forms["torch.nn.LSTM"] = training(nn.LSTM(units, units, batch_first=True).to(DEVICE), inputs)
    times = in_turn(forms)
    return [
        show(
            {
                **{"cell": name, "steps": steps, "rows": rows, "units": units},
                "backend": CELLS[name].backend_on(DEVICE) if name in CELLS else name,
                **{"milliseconds": 1000 * spread.median, "least": 1000 * spread.least, "most": 1000 * spread.most},
                "kept_mb": kept_for_backward(forms[name]) / 1e6,
                **{"beside": "torch.nn.LSTM", "ratio": times["torch.nn.LSTM"].median / spread.median},
            }
        )
        for name, spread in times.items()
    ]


def memories(steps: int, rows: int, units: int, heads: int) -> list[Row]:
    """A forward and backward pass of the mLSTM in chunks, beside its steps one by one."""
    torch.manual_seed(0)
    inputs = torch.randn(rows, steps, units, device=DEVICE)
    chunks: Any = build_network("mlstm", units, units, heads=heads).to(DEVICE)
    single = deepcopy(chunks)
    single.layers[0].at_once = False
    forms = {"chunks": training(chunks, inputs), "steps": training(single, inputs)}
    times, sizes = in_turn(forms, rounds=3), {"cell": "mlstm", "steps": steps, "rows": rows, "units": units, "heads": heads}
    return [
        show(
            {
                **{**sizes, "form": name, "milliseconds": 1000 * spread.median},
                "kept_mb": kept_for_backward(forms[name]) / 1e6,
                **{"beside": "steps", "ratio": times["steps"].median / spread.median},
            }
        )
        for name, spread in times.items()
    ]


def by_chunks(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The recurrence by running products and sums of quotients within chunks of steps."""
    states, before = [], start
    for factors, terms in zip(keep.split(CHUNK), new.split(CHUNK), strict=True):
        products = factors.cumprod(0)
        states.append(products * (before + (terms / products).cumsum(0)))
        before = states[-1][-1]
    return torch.cat(states)


def scans(steps: int, rows: int, units: int) -> list[Row]:
    """The forms of a scan, real and complex, beside the loop over steps."""
    found: list[Row] = []
    for dtype in (torch.float32, torch.complex64):
        new, start = (torch.randn(*shape, dtype=dtype, device=DEVICE) for shape in ((steps, rows, units), (rows, units)))
        keep = torch.rand(steps, rows, units, device=DEVICE).mul(0.5).add(0.5).to(dtype)
        forms: dict[str, Callable[[], Tensor]] = {
            form.__name__: lambda form=form, keep=keep, new=new, start=start: form(keep, new, start)
            for form in (by_loop, by_doubling, by_chunks)
        }
        times = in_turn(forms)
        for name, spread in times.items():
            sizes = {"form": name, "type": str(dtype), "steps": steps, "rows": rows, "units": units}
            taken = {"milliseconds": 1000 * spread.median, "ratio": times["by_loop"].median / spread.median}
            found.append(show({**sizes, **taken, "beside": "by_loop"}))
    return found


def show(row: Row) -> Row:
    name = ", ".join(str(row[key]) for key in ("cell", "form", "type") if key in row)
    sizes = f"T {row['steps']}, B {row['rows']}, H {row['units']}" + (f", heads {row['heads']}" if "heads" in row else "")
    print(f"{name}, {sizes}: {row['milliseconds']:.2f} ms, {row['ratio']:.2f} x {row['beside']}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small size")
    options = parser.parse_args()

    torch.set_num_threads(1)
    sizes = [(7, 2, 8)] if options.short else SIZES
    tables = {part.__name__: [row for size in sizes for row in part(*size)] for part in (cells, scans)}
    tables["memories"] = [row for size in ([(7, 2, 8, 2)] if options.short else HEADS) for row in memories(*size)]
    store(__file__, tables)


if __name__ == "__main__":
    main()
