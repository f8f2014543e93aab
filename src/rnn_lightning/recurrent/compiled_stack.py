"""Networks of one or several layers and directions by compiled steps (`compiled`).

Shapes: B rows, T steps, F features in, H hidden units, L layers, D directions (1 or 2); see `Steps` for the tensors of a layer.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from torch import Tensor, nn

from .layers import Parts, Weights, read_layers
from .steps import Steps, steps_of

Compute: TypeAlias = Callable[..., Any]
"""One layer in one direction: its `Steps`, inputs and the parts of the state before the first step, and in a stack its weights,
to the parts of the state after each step, of which the first are the outputs."""


def read_layer(compute: Compute, inputs: Tensor, lengths: Tensor | None, state: Parts) -> tuple[Tensor, Parts]:
    """Read ``inputs`` (B, T, F) from a ``state`` of parts (B, H): the outputs (B, T, H) and the state after each row's end."""
    steps = steps_of(inputs, lengths)
    outputs, after = _read(compute, steps, steps.pack(inputs), state)
    return steps.unpack(outputs), after


def read_stack(
    compute: Compute, core: nn.RNNBase, inputs: Tensor, lengths: Tensor | None, state: Parts
) -> tuple[Tensor, Parts]:
    """Read ``inputs`` (B, T, F) by the layers of ``core`` from a ``state`` of parts (B, L * D, H): the outputs (B, T, D * H)
    and the state after each row's end."""
    steps = steps_of(inputs, lengths)

    def layer(packed: Tensor, start: Parts, weights: Weights, backwards: bool) -> tuple[Tensor, Parts]:
        if not backwards:
            return _read(compute, steps, packed, start, weights)
        outputs, after = _read(compute, steps, steps.turned(packed), start, weights)
        return steps.turned(outputs), after

    outputs, after = read_layers(layer, core, steps.pack(inputs), state)
    return steps.unpack(outputs), after


def _read(compute: Compute, steps: Steps, packed: Tensor, state: Parts, *weights: Weights) -> tuple[Tensor, Parts]:
    found = compute(steps, packed, tuple(steps.first(part) for part in state), *weights)
    return found[0], tuple(steps.last(part, before) for part, before in zip(found, state, strict=True))
