"""Elman's network and the GRU with compiled steps, in single precision on the CPU: see `compiled`.

Shapes: N rows of all steps together, R rows of the first step, H hidden units.
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


class CompiledElman(Function):
    """Elman's network over all steps of a `Layer` with a bias (H,), which holds both: the outputs (N, H). ``kind`` is ``elman``
    with tanh, or ``rectified``."""

    @staticmethod
    @custom_fwd(device_type="cpu")
    def forward(ctx: Any, kernels: CDLL, steps: Steps, kind: str, *tensors: Tensor) -> Tensor:
        *parts, bias = tensors
        layer = Layer(*parts)
        (outputs,) = sequences(steps, layer, 1)
        run(getattr(kernels, f"{kind}_forward"), steps, layer._replace(bias=bias), (outputs, outputs))
        ctx.save_for_backward(*parts, outputs)
        ctx.step, ctx.steps = getattr(kernels, f"{kind}_backward"), steps
        return outputs

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of Elman's network", REMEDY)
        *parts, outputs = saved(ctx)
        layer = Layer(*parts)
        units = layer.start.shape[1]
        back = Back(ctx.steps, layer, ctx.needs_input_grad[3:7], grad_outputs, units)
        for part, (slopes,) in back.chunks(ctx.step, back.buffers(units), [outputs], outputs):
            back.add_projected(part, slopes)
        return None, None, None, back.to_inputs, back.to_start, back.to_weight, back.to_recurrent, back.sums


class CompiledGRU(Function):
    """The GRU over all steps of a `Layer` with the biases (3 H,) of its inputs and of its recurrent products: the outputs
    (N, H)."""

    @staticmethod
    @custom_fwd(device_type="cpu")
    def forward(ctx: Any, kernels: CDLL, steps: Steps, *tensors: Tensor) -> Tensor:
        *parts, bias, more = tensors
        layer = Layer(*parts)._replace(start=dense(parts[1]))
        gates, outputs, from_hidden = sequences(steps, layer, 3, 1, 1)
        others = [from_hidden, dense(more), layer.start]
        run(kernels.gru_forward, steps, layer._replace(bias=bias), (gates, outputs), others)
        ctx.save_for_backward(*layer[:4], gates, outputs, from_hidden)
        ctx.kernels, ctx.steps = kernels, steps
        return outputs

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of the GRU", REMEDY)
        *parts, gates, outputs, from_hidden = saved(ctx)
        layer, wide = Layer(*parts), gates.shape[-1]
        back = Back(ctx.steps, layer, ctx.needs_input_grad[2:6], grad_outputs, 2 * wide)
        carried = torch.zeros_like(layer.start)
        kept = [gates, outputs, from_hidden, layer.start, carried]
        for part, (_, slopes) in back.chunks(ctx.kernels.gru_backward, back.buffers(wide, wide), kept, outputs):
            back.add_projected(part, slopes)
        return None, None, back.to_inputs, back.to_start + carried, back.to_weight, back.to_recurrent, *back.sums.chunk(2)
