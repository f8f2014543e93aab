"""The cross entropy of an output layer of many classes, on the CPU.

Shapes: N targets, H features, V classes, R rows of a tile, C classes of a tile.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .derivatives import check_first_derivative
from .products import linear, product
from .sequences import at_least_single

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


class AdaptiveSoftmax(nn.Module):
    """An output layer in clusters: words that are rare cost nothing where none of them is a target (Grave et al. 2017,
    arXiv:1609.04309).

    p(word) is softmax over the words below the first of the ``cutoffs`` and the clusters of those above, and in a cluster
    p(cluster) times softmax over its words. All words have vectors of H features, so that the weight may be an embedding's. It
    is exact as it stands, and fast where words are numbered by frequency.

    Shapes: G clusters.
    """

    def __init__(self, in_features: int, out_features: int, cutoffs: Sequence[int]) -> None:
        """With clusters that begin at ``cutoffs``, in rising order between 1 and ``out_features`` - 1."""
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.sizes = [later - first for first, later in pairwise([0, *cutoffs, out_features])]
        self.weight = nn.Parameter(torch.zeros(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.clusters = nn.Linear(in_features, len(cutoffs))
        nn.init.zeros_(self.clusters.weight)
        nn.init.zeros_(self.clusters.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """The log-probabilities (..., V) of all words after ``hidden`` (..., H)."""
        weights, biases = self.weight.split(self.sizes), self.bias.split(self.sizes)
        first = self._first(hidden, weights[0], biases[0])
        found = [first[..., : self.sizes[0]]]
        for number, (weight, bias) in enumerate(zip(weights[1:], biases[1:], strict=True), start=self.sizes[0]):
            within = at_least_single(linear(hidden, weight, bias)).log_softmax(-1)
            found.append(within + first[..., number : number + 1])
        return torch.cat(found, -1)

    def of_targets(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The log-probabilities (N,) of ``targets`` (N,) after ``hidden`` (N, H)."""
        weights, biases = self.weight.split(self.sizes), self.bias.split(self.sizes)
        begins = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        cluster = torch.bucketize(targets, torch.tensor(begins[1:-1], device=targets.device), right=True)
        choices = torch.where(cluster == 0, targets, self.sizes[0] + cluster - 1)
        found = -F.cross_entropy(self._logits(hidden, weights[0], biases[0]), choices, reduction="none")
        for number, (weight, bias) in enumerate(zip(weights[1:], biases[1:], strict=True), start=1):
            rows = (cluster == number).nonzero().squeeze(1)
            if len(rows):
                within = at_least_single(linear(hidden[rows], weight, bias))
                losses = F.cross_entropy(within, targets[rows] - begins[number], reduction="none")
                found = found.index_add(0, rows, losses, alpha=-1)
        return found

    def _first(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self._logits(hidden, weight, bias).log_softmax(-1)

    def _logits(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The logits (..., C + G) of the words of the first cluster and of the other clusters."""
        return at_least_single(torch.cat([linear(hidden, weight, bias), self.clusters(hidden)], -1))
