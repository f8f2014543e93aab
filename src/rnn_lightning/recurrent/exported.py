"""Recurrent layers as `torch.export` writes them down: a scan over time, or an operator of ONNX, for any rows and steps.

A loop in Python would be unrolled to the steps of the example, and packing is not exported at all.

Shapes: B rows, T steps, F features in, P features of a projected input, H hidden units, G gates.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..sequences import State, length_mask, map_state, select_state


class Operator(NamedTuple):
    """The operator of ONNX that computes a layer: its name, which of our G blocks of weights are those of its gates, in its
    order, and its attributes."""

    name: str
    blocks: tuple[int, ...]
    attributes: dict[str, Any]


def scanned(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    projected: Tensor,
    lengths: Tensor | None,
    state: State,
    *,
    backwards: bool = False,
) -> tuple[Tensor, State]:
    """The outputs (B, T, H) of ``step`` over ``projected`` inputs (B, T, P), anything in the padding, and the state after each
    row's last real step; ``backwards``: from the last real step to the first."""
    rows, steps = projected.shape[:2]
    if lengths is None and type(steps) is int and steps == 1:
        output, state = step(projected[:, 0], state)
        return output.unsqueeze(1), state
    if lengths is None:
        lengths = torch.full((rows,), steps, device=projected.device)
    real = length_mask(lengths.to(projected.device), steps).transpose(0, 1)  # (T, B)

    def advance(before: State, read: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        output, after = step(read[0], before)
        return select_state(read[1], after, before), output.clone()  # an output must not be a view of the state

    from torch._higher_order_ops.scan import scan

    start = map_state(lambda part: part.clone(memory_format=torch.contiguous_format), state)
    last, outputs = scan(advance, start, (projected.transpose(0, 1), real), reverse=backwards)
    return outputs.transpose(0, 1), last


def by_operator(
    operator: Operator,
    inputs: Tensor,
    lengths: Tensor | None,
    start: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    peepholes: Tensor | None = None,
    backwards: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The outputs (B, T, H) and last state, (B, H) each, of one layer in one direction by an ``operator`` of ONNX.

    ``inputs`` are (B, T, F), ``weights`` W (G * H, F), U (G * H, H), and the biases b and c (G * H,).
    """
    rows, steps = inputs.shape[:2]
    size = start[0].shape[1]
    ends = torch.full((rows,), steps, device=inputs.device) if lengths is None else lengths
    from_inputs, recurrent, *biases = (in_order(part, operator.blocks) for part in weights)
    given = [inputs.transpose(0, 1), from_inputs.unsqueeze(0), recurrent.unsqueeze(0), torch.cat(biases).unsqueeze(0)]
    given.append(ends.clamp(min=1).to(torch.int32))  # not every runtime takes an empty row
    given += [part.unsqueeze(0) for part in start]
    attributes = {"hidden_size": size, "direction": "reverse" if backwards else "forward", **operator.attributes}
    shapes = [(steps, 1, rows, size), *[(1, rows, size)] * len(start)]
    outputs, *last = torch.onnx.ops.symbolic_multi_out(
        operator.name,
        given if peepholes is None else [*given, peepholes.unsqueeze(0)],
        attributes,
        dtypes=[inputs.dtype] * len(shapes),
        shapes=shapes,
    )
    after = select_state(ends > 0, tuple(part.squeeze(0) for part in last), tuple(start))
    return outputs.squeeze(1).transpose(0, 1), tuple(map_state(lambda part: part, after))


def in_order(weights: Tensor, blocks: Sequence[int]) -> Tensor:
    """The ``blocks`` of H rows of ``weights`` (G * H, ...), in that order."""
    return torch.cat([weights.chunk(len(blocks))[block] for block in blocks])
