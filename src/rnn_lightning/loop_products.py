"""Products of a training loop with one weight: the weight is laid out once, and its gradient is one product over all steps.

A decoder that reads its own output takes the same few products at every step. PyTorch would lay the weight out anew each time,
and add up a gradient of its size after every step.

Shapes: N rows of a step, I features in, O features out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from .derivatives import check_first_derivative
from .packed import packing_is_there
from .products import Linear, laid_out, product
from .recurrent import layers_of_fixed_weights

REMEDY = "decode without input feeding, or in double precision"


class LoopProduct:
    """The linear layer of ``weight`` (O, I) and ``bias`` (O,), called once a step of a loop."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.ahead, self.back = laid_out(weight), laid_out(weight.t())
        self.bias = None if bias is None else bias.detach()
        self.seen: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        """By backward pass, the rows of each step and the gradients of its outputs."""
        self.gate: Any = _Parameters.apply(weight, bias, self)

    def __call__(self, inputs: Tensor) -> Tensor:
        rows = inputs.reshape(-1, inputs.shape[-1])
        outputs: Any = _Product.apply(rows, self.gate, self)
        return outputs.unflatten(0, inputs.shape[:-1])


class _Parameters(Function):
    """Stands for the parameters in the graph: its backward pass comes when those of all steps are over."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, loop: LoopProduct) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.loop = loop
        return weight.new_empty(0)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        check_first_derivative("a loop of products", REMEDY)
        rows, outer = map(torch.cat, ctx.loop.seen.pop(backward_pass()))
        to_weight = product(outer.t(), rows.t()) if ctx.needs_input_grad[0] else None
        return to_weight, outer.sum(0) if ctx.needs_input_grad[1] else None, None


class _Product(Function):
    """The product of one step."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, gate: Tensor, loop: LoopProduct) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.loop = loop
        return loop.ahead(rows, loop.bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        check_first_derivative("a loop of products", REMEDY)
        (outer,), (rows,) = grad_outputs, ctx.saved_tensors
        if ctx.needs_input_grad[1]:
            steps, gradients = ctx.loop.seen.setdefault(backward_pass(), ([], []))
            steps.append(rows)
            gradients.append(outer)
        return ctx.loop.back(outer.contiguous()) if ctx.needs_input_grad[0] else None, None, None


def backward_pass() -> int:
    """The number of the backward pass that is going on, -1 outside of one."""
    return torch._C._current_graph_task_id()


def is_there() -> bool:
    """Whether PyTorch has the calls."""
    try:
        return backward_pass() == -1 and packing_is_there()
    except AttributeError:
        return False


def has_loop_products(inputs: Tensor) -> bool:
    """Whether a loop over ``inputs`` is trained by such products: on the CPU, in single precision, if PyTorch has the calls."""
    single = inputs.dtype == torch.float32 and inputs.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    return single and torch.is_grad_enabled() and is_there()


@contextmanager
def loop_products(inputs: Tensor, *networks: nn.Module) -> Iterator[None]:
    """Have the linear layers and the fused recurrent layers of ``networks`` take such products, where they are of use."""
    if not has_loop_products(inputs):
        yield
        return
    linear = [part for network in networks for part in network.modules() if type(part) is Linear]
    recurrent = [layer for network in networks for layer in layers_of_fixed_weights(network) if layer.takes_products]
    for part in linear:
        part.loop = LoopProduct(part.weight, part.bias)
    for layer in recurrent:
        layer.products = [LoopProduct(*layer.join(weights)) for weights in layer.core.all_weights]
    try:
        yield
    finally:
        for part in linear:
            part.loop = None
        for layer in recurrent:
            layer.products = None
