"""What a residual block has beside its recurrence: a causal convolution over time before it, and an MLP behind it.

minGRU and minLSTM are stacked in blocks of these three parts (Feng et al. 2024, arXiv:2410.01201).

Shapes: B rows, T steps, F features, K steps that a convolution sees, E hidden units of an MLP for each output.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..products import Linear
from ..sequences import State
from .contract import Recurrent
from .wrappers import Wrapper


class Convolution(Recurrent):
    """A causal depthwise convolution over time: y_t = b + sum over k of w_k * x_{t-k}, k from 0 to K - 1, feature by feature.

    The last K - 1 inputs are the state (B, K - 1, F), zeros before the first step. ``weight`` is (K, F), w_0 last. It is a sum
    of K products: ``torch.nn.Conv1d`` would have the axes of time and features turned round, and back.
    """

    def __init__(self, features: int, steps: int) -> None:
        super().__init__()
        self.input_size = self.output_size = features
        bound = steps**-0.5  # as that of torch.nn.Conv1d
        self.weight = nn.Parameter(torch.empty(steps, features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(features).uniform_(-bound, bound))

    def start(self, inputs: Tensor) -> State:
        return self.weight.new_zeros(inputs.shape[0], len(self.weight) - 1, self.input_size)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: Any) -> tuple[Tensor, State]:
        steps, seen = inputs.shape[1], torch.cat([state, inputs], 1)  # (B, K - 1 + T, F)
        outputs = self.bias
        for first, weight in enumerate(self.weight):
            outputs = torch.addcmul(outputs, seen[:, first : first + steps], weight)
        if lengths is None:
            return outputs, seen[:, steps:]
        last = lengths.to(seen.device).view(-1, 1, 1) + torch.arange(state.shape[1], device=seen.device).view(1, -1, 1)
        return outputs, seen.gather(1, last.expand(-1, -1, self.input_size))


class WithMLP(Wrapper):
    """A network with an MLP behind it: of its outputs y it makes y + V gelu(U LayerNorm(y) + c) + d, step by step, with E times
    as many hidden units as outputs."""

    def __init__(self, inner: Recurrent, expansion: int) -> None:
        super().__init__(inner)
        size = inner.output_size
        self.norm = nn.LayerNorm(size)
        self.mlp = nn.Sequential(Linear(size, expansion * size), nn.GELU(), Linear(expansion * size, size))

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        outputs, state = self.inner(inputs, lengths, state)
        return outputs + self.mlp(self.norm(outputs)), state
