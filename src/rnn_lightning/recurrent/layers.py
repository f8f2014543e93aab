"""Layers on top of each other, each with one or two directions, whatever computes one of them.

Shapes: B rows, T steps, F features in, H hidden units, L layers, D directions (1 or 2).
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

Parts: TypeAlias = tuple[Tensor, ...]
"""The tensors of a state, one (GRU, Elman) or two (LSTM)."""

Weights: TypeAlias = Sequence[Tensor]
"""Those of a layer in one direction, as `torch.nn.RNNBase` has them."""

Layer: TypeAlias = Callable[[Tensor, Parts, Weights, bool], tuple[Tensor, Parts]]
"""A layer in one direction: inputs, the parts of the state (B, H), weights, and whether it goes backwards, to its outputs, of H
features, and the state after each row's last step."""


def read_layers(layer: Layer, core: nn.RNNBase, inputs: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    """The outputs of all layers of ``core``, whose last dimension is D * H, and their states (B, L * D, H)."""
    after: list[Parts] = []
    directions = 2 if core.bidirectional else 1
    for _ in range(core.num_layers):
        outputs = []
        for backwards in range(directions):
            number = len(after)
            start = tuple(part[:, number] for part in state)
            output, last = layer(inputs, start, core.all_weights[number], bool(backwards))
            outputs.append(output)
            after.append(last)
        inputs = torch.cat(outputs, -1) if directions > 1 else outputs[0]
    return inputs, tuple(torch.stack(parts, 1) for parts in zip(*after, strict=True))
