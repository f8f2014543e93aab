"""Whole sequences of Elman's network and of the GRU whose steps are compiled (`kernels`), in single precision on the CPU.

Shapes: T steps, B rows, H hidden units; time comes first.
"""

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from .compiled import contiguous, run_backward, run_forward, weight_gradient
from .own_backward import REMEDY, Gradients


class CompiledElman(Function):
    """Elman's network over all steps: its projected input (T, B, H), which holds both biases, and a state (B, H) to the outputs
    (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> Tensor:
        projected, hidden, weight = tensors
        outputs = projected.clone(memory_format=torch.contiguous_format)
        run_forward(kernels.elman_forward, outputs, hidden, weight, [])
        ctx.save_for_backward(outputs, hidden, weight)
        ctx.kernels = kernels
        return outputs

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of Elman's network", REMEDY)
        outputs, hidden, weight = ctx.saved_tensors
        slopes = torch.empty_like(outputs)
        kept = [*contiguous(grad_outputs), outputs]
        to_hidden = run_backward(ctx.kernels.elman_backward, slopes, slopes, weight, kept)
        return None, slopes, to_hidden, weight_gradient(slopes, outputs, hidden)


class CompiledGRU(Function):
    """The GRU over all steps: its projected input (T, B, 3 H), a state (B, H), the recurrent weight and bias to the outputs
    (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, kernels: CDLL, *tensors: Tensor) -> Tensor:
        projected, hidden, weight, bias = tensors
        gates, start = projected.clone(memory_format=torch.contiguous_format), hidden.contiguous()
        outputs, from_hidden = (gates.new_empty(*gates.shape[:2], hidden.shape[1]) for _ in range(2))
        run_forward(kernels.gru_forward, gates, hidden, weight, [outputs, from_hidden, bias.contiguous(), start])
        ctx.save_for_backward(gates, outputs, from_hidden, start, weight)
        ctx.kernels = kernels
        return outputs

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of the GRU", REMEDY)
        gates, outputs, from_hidden, start, weight = ctx.saved_tensors
        slopes, to_products, carried = torch.empty_like(gates), torch.empty_like(gates), torch.zeros_like(start)
        kept = [*contiguous(grad_outputs), gates, outputs, from_hidden, start, to_products, carried]
        to_hidden = run_backward(ctx.kernels.gru_backward, slopes, to_products, weight, kept) + carried
        return None, slopes, to_hidden, weight_gradient(to_products, outputs, start), to_products.sum((0, 1))
