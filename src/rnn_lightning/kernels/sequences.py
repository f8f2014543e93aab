"""Whole sequences of cells by kernels, with a backward pass of their own.

Shapes: T steps, B rows, H hidden units, N heads of D = H / N units, G gates; time comes first.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton.language as tl
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from ..sequences import at_least_single
from . import REMEDY
from .cells import Found, Kernel
from .loops import Backward, Forward
from .tiles import Form, interpreted, launch

ROWS, UNITS, INNER = 16, 32, 32
"""The tile, the same for all sizes: a row's result depends on no other row. A product of tiles has 16 rows at least."""


TYPES = {torch.float64: tl.float64, torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


class KernelSequence(Function):
    """A cell over all steps: its projected inputs (T, B, G * H), the weight (G * H, D), the hidden state and memories (B, H) at
    the start, and what all steps share, to the outputs and the memories after each step (T, B, H).

    Products are of the inputs' type, and summed in single precision at least, which memories have too. Unless ``keeps``, the
    inputs to the gates are computed again in the backward pass, by one product over all steps.
    """

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, keeps: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        projected, weight, hidden, *others = tensors
        memories, share = others[: kernel.memories], others[kernel.memories :]
        (steps, rows, width), size, real = projected.shape, hidden.shape[1], at_least_single(projected)
        states = [projected.new_empty(steps + 1, rows, size), *(real.new_empty(steps + 1, rows, size) for _ in memories)]
        for state, start in zip(states, (hidden, *memories), strict=True):
            state[0] = start
        sums = real.new_empty(steps if keeps else 1, rows, width)
        projected, weight = projected.contiguous(), weight.to(projected.dtype).contiguous()
        data = Forward(projected, weight, tuple(share), states[0], tuple(states[1:]), sums)
        grid, form = _programs(kernel, projected, weight, keeps=keeps)
        loop, *step = kernel.forward
        launch(loop, grid, (*step, data, steps, rows, form), weight)
        ctx.save_for_backward(
            sums if keeps else None, projected if kernel.apart or not keeps else None, weight, *states, *share
        )
        ctx.kernel, ctx.dtypes = kernel, [tensor.dtype for tensor in tensors]
        return tuple(state[1:] for state in states)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        check_first_derivative("a sequence computed by a kernel", REMEDY)
        kernel: Kernel = ctx.kernel
        sums, projected, weight, *others = ctx.saved_tensors
        states, share = others[: 1 + kernel.memories], others[1 + kernel.memories :]
        if sums is None:
            sums = kernel.sums(_products(states[0][:-1], weight), projected, share)
        given = tuple(gradient.contiguous() for gradient in grad_outputs)
        forward = Forward(sums if projected is None else projected, weight, tuple(share), states[0], tuple(states[1:]), sums)
        data = _backward_tensors(kernel, forward, given)
        grid, form = _programs(kernel, states[0], weight, keeps=True)
        loop, *step = kernel.backward
        launch(loop, grid, (*step, data, len(sums), states[0].shape[1], form), weight)
        to_products = data.to_products[:-1]
        to_projected = data.to_projected if kernel.apart else to_products
        found = Found(share, sums, states[1:], to_projected, to_products, data.to_normals)
        to_hidden = data.to_start + data.carried[0] if kernel.carries else data.to_start
        to_weight = _weight_gradient(to_products, states[0][:-1], weight)
        gradients = (to_projected, to_weight, to_hidden, *data.carried[: kernel.memories], *kernel.shared(found))
        return None, None, *(part.to(dtype) for part, dtype in zip(gradients, ctx.dtypes, strict=True))


def by_kernel(kernel: Kernel, tensors: Sequence[Tensor], *, keeps: bool = True) -> tuple[Tensor, ...]:
    """The outputs and memories of a cell after each step, as `KernelSequence`; ``tensors`` are those that it takes."""
    found: Any = KernelSequence.apply(kernel, keeps and torch.is_grad_enabled(), *tensors)
    return found


def _backward_tensors(kernel: Kernel, forward: Forward, given: tuple[Tensor, ...]) -> Backward:
    steps, rows, size = given[0].shape
    new = forward.sums.new_zeros
    to_products = forward.hidden.new_zeros(steps + 1, rows, kernel.gates * size)
    to_projected = torch.empty_like(to_products[1:]) if kernel.apart else to_products
    to_normals = new(steps if kernel.normalises else 1, rows, size)
    carried = tuple(new(rows, size) for _ in range(max(kernel.memories, 1)))
    return Backward(forward, given[0], given[1:], to_projected, to_products, to_normals, new(rows, size), carried)


def _programs(kernel: Kernel, inputs: Tensor, weight: Tensor, *, keeps: bool) -> tuple[tuple[int, int], Form]:
    """The programs, tiles of rows by heads, and what the kernel is compiled for."""
    head = weight.shape[1]
    size = weight.shape[0] // kernel.gates
    number = tl.float64 if inputs.dtype == torch.float64 else tl.float32
    factor = number if interpreted() else TYPES[inputs.dtype]  # the interpreter multiplies no bfloat16
    precision = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    form = Form(*map(tl.constexpr, (ROWS, UNITS, INNER, size, head, kernel.gates, number, factor, precision, keeps)))
    return (-(-inputs.shape[1] // ROWS), size // head), form


def _products(hidden: Tensor, weight: Tensor) -> Tensor:
    """U h of all steps (T, B, G * H), head by head, in single precision at least."""
    gates, heads = _blocks(weight, hidden)
    rows, blocks = at_least_single(hidden).unflatten(2, (heads, -1)), at_least_single(weight).unflatten(0, (gates, heads, -1))
    return torch.einsum("tbnd,gned->tbgne", rows, blocks).flatten(2)


def _weight_gradient(to_products: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
    gates, heads = _blocks(weight, hidden)
    slopes = to_products.unflatten(2, (gates, heads, -1))
    return torch.einsum("tbgne,tbnd->gned", slopes, hidden.unflatten(2, (heads, -1))).reshape(weight.shape)


def _blocks(weight: Tensor, hidden: Tensor) -> tuple[int, int]:
    """Gates and heads of a ``weight`` (G * H, D) of states (.., H)."""
    return weight.shape[0] // hidden.shape[2], hidden.shape[2] // weight.shape[1]
