"""Cells that run step by step, and the loop that makes a network of one.

Shapes: B rows, T steps, F features in, H hidden units, G what a cell makes of an input before its recurrence.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..sequences import State, length_mask, select_state
from .contract import Recurrent, check_initialisation, glorot_blocks_, no_grad_fill_, orthogonal_blocks_


class Cell(nn.Module, ABC):
    """One step of a recurrent network, split into what needs the state and what does not."""

    backend = "python loop"
    label: ClassVar[str]

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size

    @abstractmethod
    def start(self, inputs: Tensor) -> State:
        """The state before the first step, for the rows of ``inputs`` (B, ...)."""

    @abstractmethod
    def project(self, inputs: Tensor) -> Tensor:
        """What the input alone decides, for all steps in one product: (B, T, F) to (B, T, G)."""

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, G) and a state to the output (B, H) and the next state."""


class Unrolled(Recurrent):
    """A cell run over the steps of a sequence, one after the other."""

    bidirectional = False

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.input_size, self.output_size = cell.input_size, cell.hidden_size

    def start(self, inputs: Tensor) -> State:
        return self.cell.start(inputs)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        steps = self.cell.project(inputs).unbind(1)
        real = None if lengths is None else length_mask(lengths.to(inputs.device), len(steps)).unbind(1)
        outputs = []
        for time, projected in enumerate(steps):
            output, after = self.cell.step(projected, state)
            state = after if real is None else select_state(real[time], after, state)
            outputs.append(output)
        return torch.stack(outputs, 1), state


class Feedforward(Cell):
    """A layer without memory, y = tanh(W x + b): what the others are to be better than. Its state is empty."""

    label = "Feedforward"

    def __init__(self, input_size: int, hidden_size: int, *, init: str = "orthogonal", forget_bias: float | None = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        check_initialisation(init)
        self.input_weight = nn.Parameter(torch.empty(hidden_size, input_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        if init == "orthogonal":
            glorot_blocks_(self.input_weight, 1)
        else:
            for parameter in (self.input_weight, self.bias):
                nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def start(self, inputs: Tensor) -> State:
        return self.input_weight.new_zeros(inputs.shape[0], 0)

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.input_weight, self.bias).tanh()

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return projected, state


class GatedCell(Cell):
    """An LSTM's weights, gates in the order i, f, o, g: W (4H, F), U (4H, H), b (4H,). The state is the pair (h, c)."""

    def __init__(self, input_size: int, hidden_size: int, *, init: str = "orthogonal", forget_bias: float | None = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        check_initialisation(init)
        self.input_weight = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        if init == "orthogonal":
            glorot_blocks_(self.input_weight, 4)
            orthogonal_blocks_(self.recurrent_weight)
        else:
            bound = hidden_size**-0.5
            for parameter in (self.input_weight, self.recurrent_weight, self.bias):
                nn.init.uniform_(parameter, -bound, bound)
        if forget_bias is not None:
            no_grad_fill_(self.bias[hidden_size : 2 * hidden_size], forget_bias)

    def start(self, inputs: Tensor) -> State:
        zeros = self.recurrent_weight.new_zeros(inputs.shape[0], self.hidden_size)
        return zeros, zeros


class LayerNormLSTM(GatedCell):
    """The LSTM with layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 20 to 22).

    i, f, o, g from LN(U h) + LN(W x) + b, c' = s(f) * c + s(i) * tanh(g), h' = s(o) * tanh(LN(c')); every LN has a gain of
    its own, the last one a bias too.
    """

    label = "LayerNorm-LSTM"

    def __init__(self, input_size: int, hidden_size: int, *, init: str = "orthogonal", forget_bias: float | None = 1.0) -> None:
        super().__init__(input_size, hidden_size, init=init, forget_bias=forget_bias)
        self.input_gain = nn.Parameter(torch.ones(4 * hidden_size))
        self.recurrent_gain = nn.Parameter(torch.ones(4 * hidden_size))
        self.cell_gain = nn.Parameter(torch.ones(hidden_size))
        self.cell_bias = nn.Parameter(torch.zeros(hidden_size))

    def project(self, inputs: Tensor) -> Tensor:
        products = F.linear(inputs, self.input_weight)
        return F.layer_norm(products, products.shape[-1:], self.input_gain, self.bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, memory = state
        products = F.linear(hidden, self.recurrent_weight)
        gates = F.layer_norm(products, products.shape[-1:], self.recurrent_gain) + projected
        entrance, forget, exit_ = gates[:, : 3 * self.hidden_size].sigmoid().chunk(3, 1)
        memory = forget * memory + entrance * gates[:, 3 * self.hidden_size :].tanh()
        normal = F.layer_norm(memory, memory.shape[-1:], self.cell_gain, self.cell_bias)
        hidden = exit_ * normal.tanh()
        return hidden, (hidden, memory)


class PeepholeLSTM(GatedCell):
    """The LSTM whose gates see the memory cell (Gers and Schmidhuber 2000; Graves 2013, arXiv:1308.0850, equations 7 to 11).

    i = s(.. + p_i * c), f = s(.. + p_f * c), c' = f * c + i * tanh(g), o = s(.. + p_o * c'), h' = o * tanh(c').
    """

    label = "Peephole LSTM"

    def __init__(self, input_size: int, hidden_size: int, *, init: str = "orthogonal", forget_bias: float | None = 1.0) -> None:
        super().__init__(input_size, hidden_size, init=init, forget_bias=forget_bias)
        self.entrance_peephole = nn.Parameter(torch.zeros(hidden_size))
        self.forget_peephole = nn.Parameter(torch.zeros(hidden_size))
        self.exit_peephole = nn.Parameter(torch.zeros(hidden_size))

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, memory = state
        entrance, forget, exit_, candidate = (projected + F.linear(hidden, self.recurrent_weight)).chunk(4, 1)
        entrance = (entrance + self.entrance_peephole * memory).sigmoid()
        forget = (forget + self.forget_peephole * memory).sigmoid()
        memory = forget * memory + entrance * candidate.tanh()
        hidden = (exit_ + self.exit_peephole * memory).sigmoid() * memory.tanh()
        return hidden, (hidden, memory)
