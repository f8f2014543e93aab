"""Whole sequences of step-by-step cells whose steps are compiled (`kernels`); `own_backward` has the same in PyTorch.

Shapes: T steps, B rows, H hidden units; time comes first. Gates are in the order input, forget, output, candidate.
"""

from collections.abc import Callable, Sequence
from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from ..products import product
from .kernels import Sizes
from .own_backward import REMEDY, Gradients, before_each, times


class CompiledPeephole(Function):
    """As `own_backward.PeepholeSequence`, in single precision on the CPU."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        projected, hidden, cell, weight, peepholes = tensors
        ctx.set_materialize_grads(False)
        gates, start = projected.clone(memory_format=torch.contiguous_format), cell.contiguous()
        outputs, cells, bounded = (gates.new_empty(*gates.shape[:2], cell.shape[1]) for _ in range(3))
        run_forward(kernels.peephole_forward, gates, hidden, weight, [outputs, cells, bounded, peepholes, start])
        ctx.save_for_backward(gates, outputs, cells, bounded, hidden, start, weight, peepholes)
        ctx.kernels = kernels
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the peephole LSTM", REMEDY)
        gates, outputs, cells, bounded, hidden, start, weight, peepholes = ctx.saved_tensors
        slopes, to_cell = torch.empty_like(gates), torch.zeros_like(start)
        kept = [*contiguous(grad_outputs), gates, cells, bounded, start, peepholes, to_cell]
        to_hidden = run_backward(ctx.kernels.peephole_backward, slopes, slopes, weight, kept)
        before, by_gate = before_each(cells, start), slopes.unflatten(2, (4, -1)).unbind(2)
        sums = [(slope * seen).sum((0, 1)) for slope, seen in zip(by_gate, (before, before, cells), strict=False)]
        return None, slopes, to_hidden, to_cell, weight_gradient(slopes, outputs, hidden), torch.stack(sums)


class CompiledLayerNorm(Function):
    """As `own_backward.LayerNormSequence`, in single precision on the CPU."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        projected, hidden, cell, weight, gain, cell_gain, bias = tensors
        ctx.set_materialize_grads(False)
        gates, start = projected.clone(memory_format=torch.contiguous_format), cell.contiguous()
        outputs, cells, bounded, cell_normals = (gates.new_empty(*gates.shape[:2], cell.shape[1]) for _ in range(4))
        normals, (scales, cell_scales) = torch.empty_like(gates), (gates.new_empty(gates.shape[:2]) for _ in range(2))
        made = [outputs, cells, bounded, normals, scales, cell_normals, cell_scales]
        run_forward(kernels.layer_norm_forward, gates, hidden, weight, [*made, gain, cell_gain, bias, start])
        ctx.save_for_backward(gates, *made, hidden, start, weight, gain, cell_gain)
        ctx.kernels = kernels
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the layer-normalised LSTM", REMEDY)
        gates, outputs, *made, hidden, start, weight, gain, cell_gain = ctx.saved_tensors
        _, _, normals, _, cell_normals, _ = made
        slopes, to_products, to_normals = torch.empty_like(gates), torch.empty_like(gates), torch.empty_like(outputs)
        to_cell, work = torch.zeros_like(start), torch.empty_like(start[0])
        kept = [*contiguous(grad_outputs), gates, *made, start, gain, cell_gain, to_products, to_normals, to_cell, work]
        to_hidden = run_backward(ctx.kernels.layer_norm_backward, slopes, to_products, weight, kept)
        to_gain, to_cell_gain = (slopes * normals).sum((0, 1)), (to_normals * cell_normals).sum((0, 1))
        to_weight = weight_gradient(to_products, outputs, hidden)
        return None, slopes, to_hidden, to_cell, to_weight, to_gain, to_cell_gain, to_normals.sum((0, 1))


def run_forward(step: Callable[..., None], gates: Tensor, hidden: Tensor, weight: Tensor, tensors: Sequence[Tensor]) -> None:
    """Run a forward ``step`` over time; it takes the gates, the recurrent product and ``tensors``, the first of them the
    outputs; where there are none, the gates are."""
    times_weight, addresses = times(weight, hidden), _addresses(tensors)
    for time, output in enumerate((*tensors, gates)[0].unbind()):
        recurrent = times_weight(hidden)
        step(Sizes(time, *hidden.shape), gates.data_ptr(), recurrent.data_ptr(), *addresses)
        hidden = output


def run_backward(
    step: Callable[..., None], slopes: Tensor, to_products: Tensor, weight: Tensor, tensors: Sequence[Tensor | None]
) -> Tensor:
    """Run a backward ``step`` over time, from the last to the first; it takes the slopes, the gradient that comes through the
    recurrent product and ``tensors``. Gives the gradient of the hidden state (B, H) at the start."""
    addresses, transposed, recurrent = _addresses(tensors), weight.t(), None
    for time in range(len(slopes) - 1, -1, -1):
        sizes = Sizes(time, slopes.shape[1], weight.shape[1])
        step(sizes, slopes.data_ptr(), *_addresses([recurrent]), *addresses)
        recurrent = product(to_products[time], transposed)
    assert recurrent is not None
    return recurrent


def contiguous(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if tensor is None else tensor.contiguous() for tensor in tensors]


def _addresses(tensors: Sequence[Tensor | None]) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]


def weight_gradient(to_products: Tensor, outputs: Tensor, start: Tensor) -> Tensor:
    """The gradient of the recurrent weight (G * H, H)."""
    return product(to_products.flatten(0, 1).t(), before_each(outputs, start).flatten(0, 1).t())
