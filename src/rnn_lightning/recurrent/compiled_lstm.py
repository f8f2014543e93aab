"""The LSTM, plain, with peepholes and layer-normalised, with compiled steps, in single precision on the CPU: see `compiled`.

`own_backward` has the last two in PyTorch. Shapes: N rows of all steps together, R rows of the first step, H hidden units.
"""

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor
from torch.amp.autocast_mode import custom_bwd, custom_fwd
from torch.autograd import Function

from ..derivatives import check_first_derivative
from .compiled import Back, Layer, run, saved, sequences
from .own_backward import REMEDY, Gradients
from .steps import Steps, dense


class CompiledLSTM(Function):
    """The LSTM over all steps of a `Layer` with the memory cells at the start (R, H), a bias (4 H,) and, if it has any, the
    peepholes (3, H) of the input, forget and output gate: the outputs and the memory cells after each step, (N, H) both.

    Gates are in the order input, forget, candidate, output, and with peepholes input, forget, output, candidate.
    """

    @staticmethod
    @custom_fwd(device_type="cpu")
    def forward(ctx: Any, kernels: CDLL, steps: Steps, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        parts, (cell, bias, *peepholes) = tensors[:4], tensors[4:]
        ctx.set_materialize_grads(False)
        layer, cell, peepholes = Layer(*parts), dense(cell), [*map(dense, peepholes)]
        gates, outputs, cells, bounded = sequences(steps, layer, 4, 1, 1, 1)
        step = kernels.peephole_forward if peepholes else kernels.lstm_forward
        run(step, steps, layer._replace(bias=bias), (gates, outputs), [cells, bounded, *peepholes, cell])
        ctx.save_for_backward(*parts, outputs, gates, cells, bounded, cell, *peepholes)
        ctx.step, ctx.steps = kernels.peephole_backward if peepholes else kernels.lstm_backward, steps
        return outputs, cells

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the LSTM", REMEDY)
        inputs, start, weight, recurrent, outputs, gates, cells, bounded, cell, *peepholes = saved(ctx)
        layer, wide = Layer(inputs, start, weight, recurrent), gates.shape[-1]
        to_cell, sums = torch.zeros_like(cell), [wide, *(part.numel() for part in peepholes)]
        back = Back(ctx.steps, layer, ctx.needs_input_grad[2:6], grad_outputs, sum(sums))
        kept = [gates, cells, bounded, cell, *peepholes, to_cell]
        for part, (slopes,) in back.chunks(ctx.step, back.buffers(wide), kept, outputs):
            back.add_projected(part, slopes)
        to_bias, *to_peepholes = back.sums.split(sums)
        found = back.to_inputs, back.to_start, back.to_weight, back.to_recurrent
        return None, None, *found, to_cell, to_bias, *(part.view(3, -1) for part in to_peepholes)


class CompiledLayerNorm(Function):
    """The layer-normalised LSTM over all steps of a `Layer` with the memory cells at the start (R, H), the gains (4 H,) of the
    inputs' products, with a bias, and of the recurrent products, and the gain and bias (H,) of the memory cells: the outputs
    and the memory cells after each step, (N, H) both."""

    @staticmethod
    @custom_fwd(device_type="cpu")
    def forward(ctx: Any, kernels: CDLL, steps: Steps, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        *parts, cell, input_gain, bias, gain, cell_gain, cell_bias = tensors
        ctx.set_materialize_grads(False)
        layer, cell = Layer(*parts), dense(cell)
        input_normals, gates, normals, outputs, cells, bounded, cell_normals = sequences(steps, layer, 4, 4, 4, 1, 1, 1, 1)
        kept = [input_normals, gates, cells, bounded, normals, cell_normals, gates.new_empty(3, *steps.shape)]
        gains, biases = [*map(dense, (input_gain, gain, cell_gain))], map(dense, (bias, cell_bias))
        others = [*kept[1:], *gains, *biases, cell]
        run(kernels.layer_norm_forward, steps, layer, (input_normals, outputs), others)
        ctx.save_for_backward(*parts, cell, *kept, *gains, outputs)
        ctx.kernels, ctx.steps = kernels, steps
        return outputs, cells

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the layer-normalised LSTM", REMEDY)
        *parts, outputs = saved(ctx)
        layer, (cell, *kept) = Layer(*parts[:4]), parts[4:]
        units, to_cell = cell.shape[1], torch.zeros_like(cell)
        sums = 4 * units, 4 * units, 4 * units, units, units
        back = Back(ctx.steps, layer, ctx.needs_input_grad[2:6], grad_outputs, sum(sums))
        buffers = back.buffers(4 * units, 4 * units, units, units)
        for part, (_, to_projected, *_) in back.chunks(
            ctx.kernels.layer_norm_backward, buffers, [*kept, cell, to_cell], outputs
        ):
            back.add_projected(part, to_projected)
        found = back.to_inputs, back.to_start, back.to_weight, back.to_recurrent
        return None, None, *found, to_cell, *back.sums.split(sums)
