"""One step of a fused kernel by one product a layer, for decoding: [x; h] times [W U].

Shapes: N rows, F features in, H hidden units, G gates.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def joined(weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """[W U] and b + c of a layer's ``weights`` W (G * H, F), U (G * H, H), b and c (G * H,)."""
    inputs, recurrent, bias, more = weights
    return torch.cat([inputs, recurrent], 1), bias + more


def joined_gru(weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """As `joined`, but the candidate's two products stay apart, since the reset gate lies between: four blocks of rows."""
    inputs, recurrent, bias, more = weights
    size = recurrent.shape[1]
    both = torch.cat([inputs[: 2 * size], recurrent[: 2 * size]], 1)
    from_inputs = torch.cat([inputs[2 * size :], torch.zeros_like(recurrent[2 * size :])], 1)
    from_hidden = torch.cat([torch.zeros_like(inputs[2 * size :]), recurrent[2 * size :]], 1)
    biases = [bias[: 2 * size] + more[: 2 * size], bias[2 * size :], more[2 * size :]]
    return torch.cat([both, from_inputs, from_hidden]), torch.cat(biases)


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """The layer of these parameters, copied."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device=weight.device, dtype=weight.dtype)
    layer.load_state_dict({"weight": weight.detach(), "bias": bias.detach()})
    return layer
