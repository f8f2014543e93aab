"""The cross entropy of an output layer of many classes, on the CPU.

Shapes: N targets, H features, V classes, R rows of a tile, C classes of a tile.
"""

from typing import Any

import torch
from torch import Tensor

from .derivatives import check_first_derivative
from .products import product

ROWS, CLASSES = 384, 768
"""R and C: tiles of logits that stay near the processor while they are made, normalised and used again."""


class TiledCrossEntropy(torch.autograd.Function):
    """The mean cross entropy of the logits h W^T + b (N, V), its gradient taken tile by tile while the loss is.

    With p = softmax(logits) and y the targets' one-hot rows, the gradients are (p - y) W / N, (p - y)^T h / N and the
    columns' sums of (p - y) / N. No more than (R, V) of the logits exist at a time.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """The loss of ``hidden`` (N, H), ``weight`` (V, H) and ``bias`` (V,) against ``targets`` (N,)."""
        gradients = tuple(map(torch.zeros_like, (hidden, weight, bias))) if any(ctx.needs_input_grad) else ()
        loss = -(hidden * weight[targets]).sum() - bias[targets].sum()
        for start in range(0, len(hidden), ROWS):
            rows = slice(start, start + ROWS)
            tiles, highest = exponentials(hidden[rows], weight, bias)
            totals = torch.stack([tile.sum(1) for tile in tiles]).sum(0)  # (R,)
            loss += (highest + totals.log()).sum()
            if gradients:
                of_hidden, of_weight, of_bias = gradients
                add_gradients((of_hidden[rows], of_weight, of_bias), hidden[rows], weight, tiles, 1 / (totals * len(hidden)))
        if gradients:
            of_hidden, of_weight, of_bias = gradients
            of_hidden.sub_(weight[targets], alpha=1 / len(hidden))
            of_weight.index_add_(0, targets, hidden, alpha=-1 / len(hidden))
            of_bias.sub_(targets.bincount(minlength=len(bias)), alpha=1 / len(hidden))
        ctx.save_for_backward(*gradients)
        return loss / len(hidden)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        check_first_derivative(
            "a cross entropy of many classes", "take torch.nn.functional.cross_entropy of the system's logits"
        )
        gradients = ctx.saved_tensors
        if outer[0] != 1:  # rarely: only where the loss is scaled
            gradients = tuple(gradient * outer[0] for gradient in gradients)
        return (*gradients, None)


def exponentials(read: Tensor, weight: Tensor, bias: Tensor) -> tuple[list[Tensor], Tensor]:
    """exp(logit - highest of its row) in tiles (R, C) over the classes, and the highest logit of each row (R,)."""
    parts = zip(weight.split(CLASSES), bias.split(CLASSES), strict=True)
    tiles = [product(read, part).add_(constant) for part, constant in parts]
    highest = torch.stack([tile.amax(1) for tile in tiles]).amax(0)
    for tile in tiles:
        tile.sub_(highest.unsqueeze(1)).exp_()
    return tiles, highest


def add_gradients(gradients: tuple[Tensor, ...], read: Tensor, weight: Tensor, tiles: list[Tensor], scale: Tensor) -> None:
    """Add what the probabilities, ``tiles`` times ``scale`` (R,), give to the gradients (R, H), (V, H) and (V,)."""
    of_hidden, of_weight, of_bias = gradients
    scaled = read * scale.unsqueeze(1)
    parts = (whole.split(CLASSES) for whole in (weight, of_weight, of_bias))
    for tile, part, of_part, of_constant in zip(tiles, *parts, strict=True):
        of_hidden.add_(product(tile, part.t()))
        of_part.add_(product(tile.t(), scaled.t()))
        of_constant.addmv_(tile.t(), scale)
    of_hidden *= scale.unsqueeze(1)
