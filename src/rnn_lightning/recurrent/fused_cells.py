"""Elman's network, the GRU and the LSTM, whose layers PyTorch's kernels compute, or on the CPU compiled steps.

Shapes: R rows of a group, T steps, F features in, H hidden units.
"""

import math
from collections.abc import Mapping, Sequence
from ctypes import CDLL
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..kernels import AUTO
from ..products import linear
from .architecture import NONE
from .by_kernel import sequence_by_kernel
from .compiled_gru import CompiledElman, CompiledGRU
from .compiled_lstm import CompiledLSTM
from .exported import Operator
from .fused import SATURATED, Fused
from .layers import Parts
from .onestep import joined_gru
from .padded import Cost, at_the_end, with_padding_marked
from .stepped_cells import SteppedGRU, SteppedLSTM
from .steps import Steps


class Elman(Fused):
    """Elman's network (Elman 1990): h_t = tanh(W x_t + b + U h_{t-1} + c)."""

    label = "Elman RNN (tanh)"
    gates = ("hidden",)
    kernel = nn.RNN
    function = torch.rnn_tanh
    operator = Operator("RNN", (0,), {"activations": ["Tanh"]})
    kernel_options: ClassVar = {"nonlinearity": "tanh"}

    def by_steps(self, kernel: CDLL, steps: Steps, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> Parts:
        from_inputs, recurrent, bias, more = weights
        return made(CompiledElman.apply(kernel, steps, "elman", inputs, *start, from_inputs, recurrent, bias + more))

    def advance(self, product: Tensor, state: Parts) -> Parts:
        return (product.tanh(),)


class ElmanReLU(Fused):
    """Elman's network with rectified units (Le et al. 2015, arXiv:1504.00941, without its initialisation).

    h_t = max(0, W x_t + b + U h_{t-1} + c).
    """

    label = "Elman RNN (ReLU)"
    gates = ("hidden",)
    kernel = nn.RNN
    function = torch.rnn_relu
    operator = Operator("RNN", (0,), {"activations": ["Relu"]})
    bounded = False
    kernel_options: ClassVar = {"nonlinearity": "relu"}

    def by_steps(self, kernel: CDLL, steps: Steps, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> Parts:
        from_inputs, recurrent, bias, more = weights
        return made(CompiledElman.apply(kernel, steps, "rectified", inputs, *start, from_inputs, recurrent, bias + more))

    def advance(self, product: Tensor, state: Parts) -> Parts:
        return (product.relu(),)


class GRU(Fused):
    """The gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), reset after the product as in cuDNN.

    r = s(W_r x + b_r + U_r h + c_r), z = s(W_z x + b_z + U_z h + c_z), n = tanh(W_n x + b_n + r * (U_n h + c_n)),
    h' = (1 - z) * n + z * h.
    """

    label = "GRU"
    gates = ("reset", "update", "candidate")
    kernel = nn.GRU
    function = torch.gru
    operator = Operator("GRU", (1, 0, 2), {"linear_before_reset": 1})
    stepped, options = SteppedGRU, SteppedGRU.options
    triton = "GRU"

    def by_kernel(self, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> tuple[Tensor, Parts]:
        from_inputs, recurrent, bias, more = weights
        gates, candidate = more.split([2 * self.core.hidden_size, self.core.hidden_size])
        projected = linear(inputs, from_inputs, bias + F.pad(gates, (0, len(candidate))))
        return sequence_by_kernel("GRU", self.chosen_backend, (projected, recurrent, *start, candidate))

    def by_steps(self, kernel: CDLL, steps: Steps, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> Parts:
        from_inputs, recurrent, bias, more = weights
        return made(CompiledGRU.apply(kernel, steps, inputs, *start, from_inputs, recurrent, bias, more))

    def join(self, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        return joined_gru(weights)

    def advance(self, product: Tensor, state: Parts) -> Parts:
        reset, update, from_inputs, from_hidden = product.chunk(4, 1)
        candidate = torch.addcmul(from_inputs, reset.sigmoid(), from_hidden).tanh()
        return (torch.lerp(candidate, state[0], update.sigmoid()),)


class LSTM(Fused):
    """Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    i, f, o = s(W x + b + U h + c) by gate, g = tanh(W_g x + b_g + U_g h + c_g), c' = f * c + i * g, h' = o * tanh(c').
    The state is the pair (h, c).
    """

    label = "LSTM"
    gates = ("input", "forget", "candidate", "output")
    kernel = nn.LSTM
    function = torch.lstm
    operator = Operator("LSTM", (0, 3, 1, 2), {})
    stepped, options = SteppedLSTM, SteppedLSTM.options
    state_tensors = 2
    triton = "LSTM"

    def by_kernel(self, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> tuple[Tensor, Parts]:
        from_inputs, recurrent, bias, more = weights
        projected = linear(inputs, from_inputs, bias + more)
        return sequence_by_kernel("LSTM", self.chosen_backend, (projected, recurrent, *start))

    def by_steps(self, kernel: CDLL, steps: Steps, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> Parts:
        (from_inputs, recurrent, bias, more), (hidden, cell) = weights, start
        return made(CompiledLSTM.apply(kernel, steps, inputs, hidden, from_inputs, recurrent, cell, bias + more))

    def compiled(self, inputs: Tensor, lengths: Tensor | None, state: Parts) -> CDLL | None:
        return None if lengths is None else super().compiled(inputs, lengths, state)  # rows of one length are oneDNN's

    def advance(self, product: Tensor, state: Parts) -> Parts:
        input_gate, forget_gate, _, output_gate = product.sigmoid().chunk(4, 1)
        cell = torch.addcmul(forget_gate * state[1], input_gate, product.chunk(4, 1)[2].tanh())
        return output_gate * cell.tanh(), cell

    @classmethod
    def backend_on(cls, device: str, keywords: Mapping[str, Any] = NONE) -> str:
        found = super().backend_on(device, keywords)
        return f"{cls.backend}; with lengths: {found}" if "compiled" in found else found

    def one_way(self, inputs: Tensor, lengths: Tensor, start: Parts, weights: Sequence[Tensor]) -> tuple[Tensor, Parts]:
        if self.chosen_backend != AUTO:
            return super().one_way(inputs, lengths, start, weights)
        # The mark of the padding shuts the input gate and opens the forget gate: the memory cell keeps its last real value.
        mark = weights[0].new_tensor([-SATURATED, SATURATED, 0, 0]).repeat_interleave(self.core.hidden_size).unsqueeze(1)
        marked = [torch.cat([weights[0], mark], 1), *weights[1:]]
        starts = [part.unsqueeze(0) for part in start]
        outputs, _, cell = self.function(
            with_padding_marked(inputs, lengths), starts, marked, True, 1, 0.0, self.training, False, True
        )
        return outputs, (at_the_end(outputs, lengths, start[0]), cell[0])

    def cost(self) -> Cost:
        return Cost(1, 100)

    def cost_packed(self, lengths: Sequence[int]) -> float:
        return math.inf  # oneDNN, which computes padded rows, takes no packed ones


def made(found: Any) -> Parts:
    """What a function of autograd gives, as the parts of a state."""
    return found if isinstance(found, tuple) else (found,)
