"""The layer without memory, beside which those with one are looked at."""

from torch import Tensor

from ..products import linear
from ..sequences import State
from .stepwise import Cell


class Feedforward(Cell):
    """A layer without memory, y = tanh(W x + b), the baseline of the others. Its state is empty."""

    label = "Feedforward"
    gates = ("hidden",)
    has_recurrent_weight = False

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs)[:, :0]

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias).tanh()

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return projected, state

    def exported(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        return self.project(inputs), state
