"""The LSTM and the GRU of `fused_cells` as cells: what draws masks at each step has no kernel.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..products import linear
from ..sequences import State
from .stepwise import Cell


class SteppedLSTM(Cell):
    """The equations of `fused_cells.LSTM`, with one bias in the place of two that are added."""

    label = "LSTM"
    gates = ("input", "forget", "candidate", "output")
    options = ("zoneout", "zoneout_cell", "recurrent_dropout")

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs), self.zeros(inputs)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        hidden, cell = state
        enter, forget, candidate, output = (projected + F.linear(hidden, self.recurrent_weight)).chunk(4, 1)
        enter, forget = enter.sigmoid(), forget.sigmoid()
        cell = forget * cell + enter * self.dropped(candidate.tanh())
        hidden = output.sigmoid() * cell.tanh()
        return hidden, (hidden, cell)


class SteppedGRU(Cell):
    """The equations of `fused_cells.GRU`, whose second bias stays where it stands apart, in the candidate."""

    label = "GRU"
    gates = ("reset", "update", "candidate")
    options = ("zoneout", "recurrent_dropout")
    candidate_bias: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        return {"candidate_bias": torch.zeros(self.hidden_size)}

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        (reset, update, candidate), products = projected.chunk(3, 1), F.linear(state, self.recurrent_weight).chunk(3, 1)
        candidate = (candidate + (reset + products[0]).sigmoid() * (products[2] + self.candidate_bias)).tanh()
        update = (update + products[1]).sigmoid()
        hidden = (1 - update) * self.dropped(candidate) + update * state
        return hidden, hidden
