"""Elman's network and the GRU with compiled steps, in single precision on the CPU: see `compiled`.

Shapes: T steps, B rows, F features in, H hidden units; time comes first.
"""

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from .compiled import Back, Layer, run
from .own_backward import REMEDY, Gradients


class CompiledElman(Function):
    """Elman's network over all steps of a `Layer` with a bias (H,), which holds both: the outputs (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> Tensor:
        *parts, bias = tensors
        layer = Layer(*parts)
        outputs = layer.inputs.new_empty(*layer.inputs.shape[:2], layer.start.shape[1])
        run(kernels.elman_forward, layer, bias, (outputs, outputs))
        ctx.save_for_backward(*layer, outputs)
        ctx.kernels = kernels
        return outputs

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of Elman's network", REMEDY)
        *parts, outputs = ctx.saved_tensors
        layer = Layer(*parts)
        units = layer.start.shape[1]
        back = Back(ctx.kernels.elman_backward, layer, ctx.needs_input_grad[1:5], grad_outputs, units)
        for part, (slopes,) in back.chunks(back.buffers(units), [outputs], outputs):
            back.add_projected(part, slopes)
        return None, back.to_inputs, back.to_start, back.to_weight, back.to_recurrent, back.sums


class CompiledGRU(Function):
    """The GRU over all steps of a `Layer` with the biases (3 H,) of its inputs and of its recurrent products: the outputs
    (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> Tensor:
        *parts, bias, more = tensors
        layer = Layer(*parts)._replace(start=parts[1].contiguous())
        outputs, from_hidden = (layer.inputs.new_empty(*layer.inputs.shape[:2], layer.start.shape[1]) for _ in range(2))
        gates = layer.inputs.new_empty(*layer.inputs.shape[:2], len(layer.weight))
        run(kernels.gru_forward, layer, bias, (gates, outputs), [from_hidden, more.contiguous(), layer.start])
        ctx.save_for_backward(*layer, gates, outputs, from_hidden)
        ctx.kernels = kernels
        return outputs

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of the GRU", REMEDY)
        *parts, gates, outputs, from_hidden = ctx.saved_tensors
        layer, wide = Layer(*parts), gates.shape[2]
        back = Back(ctx.kernels.gru_backward, layer, ctx.needs_input_grad[1:5], grad_outputs, 2 * wide)
        carried = torch.zeros_like(layer.start)
        kept = [gates, outputs, from_hidden, layer.start, carried]
        for part, (_, slopes) in back.chunks(back.buffers(wide, wide), kept, outputs):
            back.add_projected(part, slopes)
        assert back.to_start is not None
        return None, back.to_inputs, back.to_start + carried, back.to_weight, back.to_recurrent, *back.sums.chunk(2)
