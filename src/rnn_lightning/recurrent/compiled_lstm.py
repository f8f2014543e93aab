"""The peephole and the layer-normalised LSTM with compiled steps, in single precision on the CPU: see `compiled`.

`own_backward` has the same in PyTorch. Shapes: T steps, B rows, F features in, H hidden units; time comes first. Gates are in
the order input, forget, output, candidate.
"""

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from .compiled import Back, Layer, run
from .own_backward import REMEDY, Gradients


class CompiledPeephole(Function):
    """The peephole LSTM over all steps of a `Layer` with the memory cells at the start (B, H), a bias (4 H,) and the peepholes
    (3, H) of the input, forget and output gate: the outputs and the memory cells after each step, (T, B, H) both."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        *parts, cell, bias, peepholes = tensors
        ctx.set_materialize_grads(False)
        layer, cell = Layer(*parts), cell.contiguous()
        gates, outputs, cells, bounded = sequences(layer, 4, 1, 1, 1)
        run(kernels.peephole_forward, layer, bias, (gates, outputs), [cells, bounded, peepholes, cell])
        ctx.save_for_backward(*layer, cell, peepholes, gates, outputs, cells, bounded)
        ctx.kernels = kernels
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the peephole LSTM", REMEDY)
        *parts, cell, peepholes, gates, outputs, cells, bounded = ctx.saved_tensors
        layer, to_cell, wide = Layer(*parts), torch.zeros_like(cell), gates.shape[2]
        sums = wide, peepholes.numel()
        back = Back(ctx.kernels.peephole_backward, layer, ctx.needs_input_grad[1:5], grad_outputs, sum(sums))
        for part, (slopes,) in back.chunks(back.buffers(wide), [gates, cells, bounded, cell, peepholes, to_cell], outputs):
            back.add_projected(part, slopes)
        to_bias, to_peepholes = back.sums.split(sums)
        found = back.to_inputs, back.to_start, back.to_weight, back.to_recurrent
        return None, *found, to_cell, to_bias, to_peepholes.view_as(peepholes)


class CompiledLayerNorm(Function):
    """The layer-normalised LSTM over all steps of a `Layer` with the memory cells at the start (B, H), the gains (4 H,) of the
    inputs' products, with a bias, and of the recurrent products, and the gain and bias (H,) of the memory cells: the outputs
    and the memory cells after each step, (T, B, H) both."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        *parts, cell, input_gain, bias, gain, cell_gain, cell_bias = tensors
        ctx.set_materialize_grads(False)
        layer, cell = Layer(*parts), cell.contiguous()
        input_normals, gates, normals, outputs, cells, bounded, cell_normals = sequences(layer, 4, 4, 4, 1, 1, 1, 1)
        kept = [input_normals, gates, cells, bounded, normals, cell_normals, gates.new_empty(3, *gates.shape[:2])]
        gains = [part.contiguous() for part in (input_gain, gain, cell_gain)]
        run(kernels.layer_norm_forward, layer, None, (input_normals, outputs), [*kept[1:], *gains, bias, cell_bias, cell])
        ctx.save_for_backward(*layer, cell, *kept, *gains, outputs)
        ctx.kernels = kernels
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the layer-normalised LSTM", REMEDY)
        *saved, outputs = ctx.saved_tensors
        layer, (cell, *kept) = Layer(*saved[:4]), saved[4:]
        units, to_cell = cell.shape[1], torch.zeros_like(cell)
        sums = 4 * units, 4 * units, 4 * units, units, units
        back = Back(ctx.kernels.layer_norm_backward, layer, ctx.needs_input_grad[1:5], grad_outputs, sum(sums))
        buffers = back.buffers(4 * units, 4 * units, units, units)
        for part, (_, to_projected, *_) in back.chunks(buffers, [*kept, cell, to_cell], outputs):
            back.add_projected(part, to_projected)
        return None, back.to_inputs, back.to_start, back.to_weight, back.to_recurrent, to_cell, *back.sums.split(sums)


def sequences(layer: Layer, *widths: int) -> list[Tensor]:
    """Room for all steps: (T, B, width * H) for each of ``widths``."""
    (steps, rows, _), units = layer.inputs.shape, layer.start.shape[1]
    return [layer.inputs.new_empty(steps, rows, width * units) for width in widths]
