"""Elman, LSTM and GRU on PyTorch's fused kernels: all layers and both directions in one call.

Shapes: B rows, T steps, F features in, H hidden units, L layers, D directions (1 or 2), G gates.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..sequences import State, map_state, select_state
from .architecture import Architecture, Layout
from .contract import Recurrent
from .initialisation import Init, initialise


class Fused(Recurrent, Architecture):
    """A stack that ``torch.nn`` computes as a whole; the state is batch-first: (B, L * D, H) for each of its tensors.

    ``kernel`` is the class of ``torch.nn`` that does the work, called with ``kernel_options`` besides the sizes, and
    ``state_tensors`` the number of tensors that it keeps.
    """

    backend = "fused"
    kernel: ClassVar[Callable[..., nn.RNNBase]]
    kernel_options: ClassVar[Mapping[str, str]] = {}
    state_tensors: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        init: Init = "orthogonal",
        forget_bias: float | None = 1.0,
    ) -> None:
        super().__init__()
        self.input_size, self.bidirectional = input_size, bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        sizes: dict[str, Any] = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": True}
        self.core = self.kernel(input_size, hidden_size, **sizes, **self.kernel_options)
        initialise(self.core, self.gates, init, forget_bias, drawn=True)

    @classmethod
    def layer(cls, input_size: int, layout: Layout) -> Recurrent:
        return cls.stack(input_size, replace(layout, num_layers=1, residual=False))

    @classmethod
    def stack(cls, input_size: int, layout: Layout) -> Recurrent:
        if layout.residual or (layout.dropout and layout.num_layers > 1):  # the kernel has nothing between its layers
            return super().stack(input_size, layout)
        return cls(
            input_size,
            layout.hidden_size,
            num_layers=layout.num_layers,
            bidirectional=layout.bidirectional,
            init=layout.init,
            forget_bias=layout.forget_bias,
        )

    def start(self, inputs: Tensor) -> State:
        layers = self.core.num_layers * (2 if self.bidirectional else 1)
        # A compressed core holds no parameters; the state then has the type of what it reads.
        zeros = next(self.core.parameters(), inputs).new_zeros(inputs.shape[0], layers, self.core.hidden_size)
        return zeros if self.state_tensors == 1 else (zeros,) * self.state_tensors

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        layers_first = map_state(lambda part: part.transpose(0, 1).contiguous(), state)  # (L * D, B, H)
        if lengths is None:
            outputs, last = self.core(inputs, layers_first)
            return outputs, map_state(lambda part: part.transpose(0, 1), last)
        # Packing refuses empty rows: they read one step of zeros, whose outcome is then dropped.
        packed = pack_padded_sequence(inputs, lengths.cpu().clamp(min=1), batch_first=True, enforce_sorted=False)
        packed, last = self.core(packed, layers_first)
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=inputs.shape[1])
        last = map_state(lambda part: part.transpose(0, 1), last)
        return outputs, select_state(lengths.to(inputs.device) > 0, last, state)


class Elman(Fused):
    """Elman's network (Elman 1990): h_t = tanh(W x_t + b + U h_{t-1} + c)."""

    label = "Elman RNN (tanh)"
    gates = ("hidden",)
    kernel = nn.RNN
    kernel_options: ClassVar = {"nonlinearity": "tanh"}


class ElmanReLU(Fused):
    """Elman's network with rectified units: h_t = max(0, W x_t + b + U h_{t-1} + c)."""

    label = "Elman RNN (ReLU)"
    gates = ("hidden",)
    kernel = nn.RNN
    kernel_options: ClassVar = {"nonlinearity": "relu"}


class GRU(Fused):
    """The gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), reset after the product as in cuDNN.

    r = s(W_r x + b_r + U_r h + c_r), z = s(W_z x + b_z + U_z h + c_z), n = tanh(W_n x + b_n + r * (U_n h + c_n)),
    h' = (1 - z) * n + z * h.
    """

    label = "GRU"
    gates = ("reset", "update", "candidate")
    kernel = nn.GRU


class LSTM(Fused):
    """Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    i, f, o = s(W x + b + U h + c) by gate, g = tanh(W_g x + b_g + U_g h + c_g), c' = f * c + i * g, h' = o * tanh(c').
    The state is the pair (h, c).
    """

    label = "LSTM"
    gates = ("input", "forget", "candidate", "output")
    kernel = nn.LSTM
    state_tensors = 2
