"""Elman, LSTM and GRU on PyTorch's fused kernels: all layers and both directions in one call.

Shapes: B rows, T steps, F features in, H hidden units, L layers, D directions (1 or 2), G gates.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..sequences import State, map_state, select_state
from .contract import Recurrent, check_initialisation, glorot_blocks_, no_grad_fill_, orthogonal_blocks_


class Fused(Recurrent):
    """A stack that ``torch.nn`` computes as a whole; the state is batch-first: (B, L * D, H) for each of its tensors."""

    backend = "fused"
    label: ClassVar[str]
    core: nn.RNNBase
    gates: ClassVar[int] = 1
    state_tensors: ClassVar[int] = 1
    forget_gate: ClassVar[int | None] = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        init: str = "orthogonal",
        forget_bias: float | None = 1.0,
    ) -> None:
        super().__init__()
        check_initialisation(init)
        self.input_size, self.bidirectional = input_size, bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        self.core = self.build(input_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional)
        self.initialise(init, forget_bias)

    def build(self, input_size: int, hidden_size: int, **topology: int) -> nn.RNNBase:
        """The module of ``torch.nn`` that does the work."""
        raise NotImplementedError

    def initialise(self, init: str, forget_bias: float | None) -> None:
        """Draw the weights anew; ``uniform`` leaves PyTorch's own U(-1/sqrt(H), 1/sqrt(H))."""
        hidden = self.core.hidden_size
        for name, parameter in self.core.named_parameters():
            if init == "orthogonal":
                if name.startswith("weight_hh"):
                    orthogonal_blocks_(parameter)
                elif name.startswith("weight_ih"):
                    glorot_blocks_(parameter, self.gates)
                else:
                    nn.init.zeros_(parameter)
            if self.forget_gate is not None and forget_bias is not None and name.startswith("bias"):
                gate = parameter[self.forget_gate * hidden : (self.forget_gate + 1) * hidden]
                no_grad_fill_(gate, forget_bias if name.startswith("bias_ih") else 0.0)

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

    def build(self, input_size: int, hidden_size: int, **topology: int) -> nn.RNNBase:
        return nn.RNN(input_size, hidden_size, nonlinearity="tanh", batch_first=True, **topology)


class ElmanReLU(Fused):
    """Elman's network with rectified units: h_t = max(0, W x_t + b + U h_{t-1} + c)."""

    label = "Elman RNN (ReLU)"

    def build(self, input_size: int, hidden_size: int, **topology: int) -> nn.RNNBase:
        return nn.RNN(input_size, hidden_size, nonlinearity="relu", batch_first=True, **topology)


class GRU(Fused):
    """The gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), reset after the product as in cuDNN.

    r = s(W_r x + b_r + U_r h + c_r), z = s(W_z x + b_z + U_z h + c_z), n = tanh(W_n x + b_n + r * (U_n h + c_n)),
    h' = (1 - z) * n + z * h.
    """

    label = "GRU"
    gates = 3

    def build(self, input_size: int, hidden_size: int, **topology: int) -> nn.RNNBase:
        return nn.GRU(input_size, hidden_size, batch_first=True, **topology)


class LSTM(Fused):
    """Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    i, f, o = s(W x + b + U h + c) by gate, g = tanh(W_g x + b_g + U_g h + c_g), c' = f * c + i * g, h' = o * tanh(c').
    The state is the pair (h, c).
    """

    label = "LSTM"
    gates, state_tensors, forget_gate = 4, 2, 1

    def build(self, input_size: int, hidden_size: int, **topology: int) -> nn.RNNBase:
        return nn.LSTM(input_size, hidden_size, batch_first=True, **topology)
