"""Kernels in Triton in training, beside the default form (cuDNN, a scan, steps in Python) and a loop over a cell in Python.

    PYTHONPATH=src:. python -m benchmarks.kernels [--short]      writes benchmarks/kernels.json

One layer, as many features as hidden units, forward and backward pass, in single precision and by autocast to bfloat16. ``gap``
is the largest difference of outputs and gradients between kernel and default form, in parts of the largest number. Where no
kernel can compute, the one row says why; on a CPU ``TRITON_INTERPRET=1`` has them interpreted, which says nothing of speed.
"""

import argparse
import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.recurrence import DEVICE, Row, kept_for_backward, training
from benchmarks.timing import in_turn, store
from rnn_lightning.kernels import check_usable
from rnn_lightning.recurrent import CELLS, Recurrent, build_network, choose_backend, fused_layers, make_stepwise
from rnn_lightning.sequences import State

COMPARED = ["lstm", "gru", "layernorm_lstm", "peephole_lstm", "slstm", "mingru", "lru"]
SIZES = [(35, 16, 256), (400, 64, 128), (400, 64, 512), (1000, 16, 256)]
STEPS: dict[str, Callable[..., Any]] = {"lstm": torch.lstm_cell, "gru": torch.gru_cell}
BACKENDS = ("triton", "triton_recompute")


def in_python(cell: str, network: Recurrent) -> Callable[[Tensor], tuple[Tensor, State]]:
    """A loop over the steps of ``network`` in Python: over PyTorch's own cell, where there is one."""
    if cell not in STEPS:
        twin = copy.deepcopy(network)
        make_stepwise(twin)
        return twin
    weights = fused_layers(network)[0].core.all_weights[0]

    def run(inputs: Tensor) -> tuple[Tensor, State]:
        zeros = inputs.new_zeros(len(inputs), network.output_size)
        state, outputs = (zeros, zeros) if cell == "lstm" else zeros, []
        for features in inputs.unbind(1):
            state = STEPS[cell](features, state, *weights)
            outputs.append(state[0] if cell == "lstm" else state)
        return torch.stack(outputs, 1), state

    return run


def outcome(network: Recurrent, inputs: Tensor) -> list[Tensor]:
    """The outputs, and the gradients of their squares."""
    outputs = network(inputs)[0].float()
    return [outputs.detach(), *torch.autograd.grad(outputs.square().sum(), [*network.parameters()])]


def gap(one: list[Tensor], other: list[Tensor]) -> float:
    pairs = zip(one, other, strict=True)
    return max(float((a - b).abs().max() / b.abs().max().clamp(min=1e-30)) for a, b in pairs)


def compare(cell: str, sizes: tuple[int, int, int], precision: str, *, rounds: int) -> Row:
    """A row: the times of all forms, what kernels keep for the backward pass, and how far they are from the default form."""
    steps, rows, units = sizes
    torch.manual_seed(0)
    network = build_network(cell, units, units).to(DEVICE)
    inputs = torch.randn(rows, steps, units, device=DEVICE)
    networks = {name: copy.deepcopy(network) for name in ("default", *BACKENDS)}
    for name in BACKENDS:
        choose_backend(networks[name], name)
    with torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "bf16"):
        forms: dict[str, Callable[[], None]] = {name: training(form, inputs) for name, form in networks.items()}
        forms["loop"] = training(in_python(cell, network), inputs)
        times = in_turn(forms, rounds=rounds)
        outcomes = {name: outcome(form, inputs) for name, form in networks.items()}
        kept = {name: kept_for_backward(lambda form=form: form(inputs)) for name, form in networks.items()}
    return {
        **{"cell": cell, "steps": steps, "rows": rows, "units": units, "precision": precision},
        **{"default": CELLS[cell].backend_on(DEVICE)},
        **{f"{name}_milliseconds": 1000 * spread.median for name, spread in times.items()},
        **{f"{name}_kept_bytes": count for name, count in kept.items()},
        "gap": max(gap(outcomes[name], outcomes["default"]) for name in BACKENDS),
    }


def measure(*, short: bool) -> list[Row]:
    """All rows; where no kernel can compute, one that says why."""
    try:
        check_usable(torch.device(DEVICE), "triton")
    except ValueError as error:
        return [{"not_measured": str(error)}]
    found: list[Row] = []
    for cell in COMPARED:
        for sizes in [(2, 2, 4)] if short else SIZES:
            for precision in ("float32",) if short else ("float32", "bf16"):
                found.append(compare(cell, sizes, precision, rounds=1 if short else 5))
                print(found[-1], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="small sizes, as for the interpreter")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(store(__file__, {"rows": measure(short=options.short or DEVICE == "cpu")}))


if __name__ == "__main__":
    main()
