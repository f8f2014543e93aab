"""Memory of a training step of every cell, beside a loop over its steps as people write it.

    python -m benchmarks.training_memory [--short]      writes benchmarks/training_memory.json

One layer, as many features as hidden units, single precision, on a CPU. Bytes of PyTorch's allocator, beyond the weights and
inputs that are there before: ``kept`` is what there is after the forward pass, the outputs and all that the backward pass
needs, which adds up over the layers of a network; ``peak`` is the most at once in a forward and backward pass, the gradients of
the weights included. Other work on the machine changes neither. The loop is one over a cell of ``torch.nn`` where there is one,
else over the cell's own step.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.cells import SHAPES
from benchmarks.recurrence import Row, training
from benchmarks.timing import store
from rnn_lightning.recurrent import CELLS, Unrolled, build_network

TORCH_CELLS: dict[str, Callable[[int, int], nn.RNNCellBase]] = {
    "elman": nn.RNNCell,
    "elman_relu": lambda features, units: nn.RNNCell(features, units, nonlinearity="relu"),
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
}


class Loop(nn.Module):
    """A ``cell`` of ``torch.nn`` over all steps."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> tuple[Tensor, Any]:
        """``inputs`` (B, T, F) to the outputs (B, T, H) and the last state."""
        state, outputs = None, []
        for step in inputs.unbind(1):
            state = self.cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, 1), state


def loop_of(cell: str, units: int) -> nn.Module:
    """The loop that a ``cell`` is compared with."""
    if cell in TORCH_CELLS:
        return Loop(TORCH_CELLS[cell](units, units))
    network = build_network(cell, units, units)
    for part in network.modules():
        if isinstance(part, Unrolled):
            part.at_once = False
    return network


class Allocated(NamedTuple):
    """Bytes of PyTorch's allocator for the CPU beyond those at the start: at the end, and the most at once."""

    end: int
    most: int


def allocated(action: Callable[[], object]) -> Allocated:
    """What is allocated for ``action``, whose result counts."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        result = action()
    assert seen.profiler is not None and seen.profiler.kineto_results is not None
    events: list[Any] = seen.profiler.kineto_results.events()
    changes = [each for each in events if each.name() == "[memory]"]
    held = most = 0
    for change in sorted(changes, key=lambda each: each.start_ns()):
        held += change.nbytes()
        most = max(most, held)
    del result  # it lives until here
    return Allocated(held, most)


def memory_of(network: nn.Module, inputs: Tensor) -> dict[str, int]:
    """The bytes after a forward pass of ``network``, and at most in a training step."""
    step = training(network, inputs)
    step()  # what is made once, such as compiled steps, is there
    network.zero_grad(set_to_none=True)
    return {"kept": allocated(lambda: network(inputs)).end, "peak": allocated(step).most}


def compare(cell: str, steps: int, rows: int, units: int) -> Row:
    """What a cell takes, what its loop takes, and both shares."""
    torch.manual_seed(0)
    inputs = torch.randn(rows, steps, units)
    ours, loop = (memory_of(network, inputs) for network in (build_network(cell, units, units), loop_of(cell, units)))
    beside = (
        f"torch.nn.{cell.upper()}Cell" if cell in ("lstm", "gru") else "torch.nn.RNNCell" if cell in TORCH_CELLS else "its step"
    )
    shares = {f"{name}_ratio": ours[name] / loop[name] for name in ours}
    row = {"cell": cell, "steps": steps, "rows": rows, "units": units, "beside": beside, **ours}
    return {**row, **{f"loop_{name}": value for name, value in loop.items()}, **shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small shape")
    options = parser.parse_args()

    torch.set_num_threads(1)
    found = []
    for shape in [(5, 2, 8)] if options.short else SHAPES:
        for cell in CELLS:
            found.append(compare(cell, *shape))
            row = found[-1]
            print(
                f"{cell}, T {row['steps']}, B {row['rows']}, H {row['units']}, beside {row['beside']}: "
                f"kept {row['kept'] / 1e6:.2f} MB, {row['kept_ratio']:.2f} x; at most {row['peak'] / 1e6:.2f} MB, "
                f"{row['peak_ratio']:.2f} x",
                flush=True,
            )
    store(__file__, {"cells": found})


if __name__ == "__main__":
    main()
