"""The cells that kernels compute: what each gives the loops, and what remains for PyTorch, over all steps at once.

Shapes: T steps, B rows, H hidden units, G gates; time comes first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import exponential, layer_norm, loops, pointwise
from .layer_norm import EPSILON

Parts = Sequence[Tensor]


@dataclass(frozen=True)
class Found:
    """What a backward pass has when its loop has run: the shared tensors, the inputs to the gates (T, B, G * H), the memories
    before and after each step (T + 1, B, H), and the gradients of the projected inputs, of the recurrent products (T, B, G * H)
    and of the normalised memory (T, B, H)."""

    share: Parts
    sums: Tensor
    memories: Parts
    to_projected: Tensor
    to_products: Tensor
    to_normals: Tensor


def nothing_shared(_: Found) -> tuple[Tensor, ...]:
    """No tensors but the weight are shared by all steps."""
    return ()


def of_gates(products: Tensor, projected: Tensor, _: Parts) -> Tensor:
    """The inputs to the gates (T, B, G * H) from the recurrent products, where they are sums."""
    return products.add_(projected)


@dataclass(frozen=True)
class Kernel:
    """A cell: its loops, each with the step of a tile that it takes, if any; its G gates and the number of its memories.

    ``apart`` says that products and projected inputs have different gradients, and the projected inputs are needed for them;
    ``carries`` that a part of the state's gradient passes by the products; ``normalises`` that the memory is normalised.
    ``sums`` computes again what the forward loop kept, and ``shared`` the gradients of what all steps share.
    """

    forward: tuple[Any, ...]
    backward: tuple[Any, ...]
    gates: int = 4
    memories: int = 1
    apart: bool = False
    carries: bool = False
    normalises: bool = False
    sums: Callable[[Tensor, Tensor, Parts], Tensor] = of_gates
    shared: Callable[[Found], tuple[Tensor, ...]] = nothing_shared


def _gru_sums(products: Tensor, projected: Tensor, share: Parts) -> Tensor:
    size = products.shape[2] // 3
    products[..., : 2 * size] += projected[..., : 2 * size]
    products[..., 2 * size :] += share[0]
    return products


def _gru_shared(found: Found) -> tuple[Tensor, ...]:
    return (found.to_products.chunk(3, 2)[2].sum((0, 1)),)


def _peephole_shared(found: Found) -> tuple[Tensor, ...]:
    (cells,), slopes = found.memories, found.to_projected.chunk(4, 2)
    seen = cells[:-1], cells[:-1], cells[1:]
    return (torch.stack([(slope * cell).sum((0, 1)) for slope, cell in zip(slopes, seen, strict=False)]),)


def _layer_norm_sums(products: Tensor, _: Tensor, __: Parts) -> Tensor:
    return products


def _layer_norm_shared(found: Found) -> tuple[Tensor, ...]:
    normals, cells = (F.layer_norm(part, part.shape[2:], eps=EPSILON.value) for part in (found.sums, found.memories[0][1:]))
    to_gain, to_cell_gain = (found.to_projected * normals).sum((0, 1)), (found.to_normals * cells).sum((0, 1))
    return to_gain, to_cell_gain, found.to_normals.sum((0, 1))


LSTM = Kernel((loops.forward_loop, pointwise.lstm), (loops.backward_loop, pointwise.lstm_back))
GRU = Kernel(
    (loops.forward_loop, pointwise.gru),
    (loops.backward_loop, pointwise.gru_back),
    gates=3,
    memories=0,
    apart=True,
    carries=True,
    sums=_gru_sums,
    shared=_gru_shared,
)
PEEPHOLE = Kernel(
    (loops.forward_loop, pointwise.peephole), (loops.backward_loop, pointwise.peephole_back), shared=_peephole_shared
)
SLSTM = Kernel((loops.forward_loop, exponential.slstm), (loops.backward_loop, exponential.slstm_back), memories=3)
LAYER_NORM = Kernel(
    (layer_norm.forward_loop,),
    (layer_norm.backward_loop,),
    apart=True,
    normalises=True,
    sums=_layer_norm_sums,
    shared=_layer_norm_shared,
)
