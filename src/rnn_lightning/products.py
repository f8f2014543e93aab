"""Matrix products of float32 on the CPU by oneDNN, in full precision: twice as fast as PyTorch's own on some processors.

PyTorch sends float32 products to another library, MKL, which takes its fastest code on the processors of its maker, Intel,
alone. There, and for small products, for which oneDNN begins too slowly, products go PyTorch's way.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from .packed import PackedWeight, packing_is_there
from .processor import of_each

FEWEST_ROWS, FEWEST_PRODUCTS = 8, 1_000_000
"""Smaller products are PyTorch's."""
PAGE, CACHE_LINE = 4096, 64
"""Bytes."""


@functools.cache
def is_mkl_at_home() -> bool:
    """Whether PyTorch's products are those of MKL on a processor of Intel's: up to twice as fast in training as oneDNN's."""
    return torch.backends.mkl.is_available() and "GenuineIntel" in of_each("vendor_id")


def takes_onednn() -> bool:
    """Whether oneDNN's products are there and faster than PyTorch's."""
    return packing_is_there() and not is_mkl_at_home()


def is_large(rows: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN computes ``rows`` (N, I) times the transpose of ``weight`` (O, I)."""
    plain = all(part.dtype == torch.float32 and part.device.type == "cpu" for part in (rows, weight))
    return plain and len(rows) >= FEWEST_ROWS and rows.numel() * len(weight) >= FEWEST_PRODUCTS and takes_onednn()


def product(rows: Tensor, weight: Tensor) -> Tensor:
    """``rows`` (N, I) times the transpose of ``weight`` (O, I); no gradient passes through it."""
    if not is_large(rows, weight):
        return rows @ weight.t()
    if len(weight) < len(rows) and weight.t().is_contiguous() and rows.t().is_contiguous():
        # The first matrix is copied where it is a transposed one: the smaller of the two.
        return _by_onednn(weight.contiguous(), rows).t().contiguous()
    return _by_onednn(_dense(rows), _dense(weight))


def multiply(rows: Tensor, weight: Tensor, into: Tensor, *, add: bool = False) -> None:
    """Write the `product` into a tensor (N, O), or ``add`` it to what is there."""
    if is_large(rows, weight):
        found = product(rows, weight)
        into.add_(found) if add else into.copy_(found)
    elif add:
        into.addmm_(rows, weight.t())
    else:
        torch.mm(rows, weight.t(), out=into)


def laid_out(weight: Tensor, rows: Tensor | None = None) -> Callable[..., Tensor]:
    """Products of tensors (N, I), and a bias (O,), with the transpose of a ``weight`` (O, I) that is laid out once for all.

    Tensors have as many rows as ``rows``, if it is given. No gradient passes through.
    """
    if takes_onednn() if rows is None else is_large(rows, weight):
        return PackedWeight(weight).product
    transposed = _spread(weight.detach().t())

    def product_with(rows: Tensor, bias: Tensor | None = None) -> Tensor:
        return rows @ transposed if bias is None else torch.addmm(bias, rows, transposed)

    return product_with


def _spread(matrix: Tensor) -> Tensor:
    """The matrix with rows that do not begin a multiple of `PAGE` bytes apart: a processor's cache would hold few of them, and
    a product with 16 to 64 rows take up to 1.6 times as long."""
    rows, columns = matrix.shape
    if columns * matrix.element_size() % PAGE:
        return matrix.contiguous()
    return matrix.new_empty(rows, columns + CACHE_LINE // matrix.element_size())[:, :columns].copy_(matrix)


def _by_onednn(rows: Tensor, weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")


def _dense(matrix: Tensor) -> Tensor:
    """The matrix in a layout that oneDNN is fast with: its own, transposed or not; with others it is very slow."""
    return matrix if matrix.is_contiguous() or matrix.t().is_contiguous() else matrix.contiguous()


class _Linear(Function):
    """The linear layer; its gradients are linear layers again, so that they have derivatives too."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        outputs = product(rows, weight)
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (outer,), (rows, weight), wanted = grad_outputs, ctx.saved_tensors, ctx.needs_input_grad
        to_rows = _Linear.apply(outer, weight.t(), None) if wanted[0] else None
        to_weight = _Linear.apply(outer.t(), rows.t(), None) if wanted[1] else None
        return to_rows, to_weight, outer.sum(0) if wanted[2] else None


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``torch.nn.functional.linear`` of ``inputs`` (..., I), ``weight`` (O, I) and ``bias`` (O,)."""
    if torch.compiler.is_exporting():
        return F.linear(inputs, weight, bias)
    rows = inputs.reshape(-1, inputs.shape[-1])
    learns = torch.is_grad_enabled() and (inputs.requires_grad or weight.requires_grad)
    if not learns or torch.is_autocast_enabled("cpu") or not is_large(rows, weight):
        return F.linear(inputs, weight, bias)
    outputs: Any = _Linear.apply(rows, weight, bias)
    return outputs.unflatten(0, inputs.shape[:-1])


class Linear(nn.Linear):
    """``torch.nn.Linear`` whose training takes large products from oneDNN, in a loop by its ``loop``."""

    loop: Callable[[Tensor], Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias) if self.loop is None else self.loop(input)

    def plain(self) -> nn.Linear:
        """PyTorch's own layer of the same parameters."""
        layer = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        layer.weight, layer.bias = self.weight, self.bias
        return layer.train(self.training)
