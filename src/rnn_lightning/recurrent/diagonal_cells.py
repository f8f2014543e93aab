"""Cells each unit of which sees its own state alone: indRNN, and the GRU and the LSTM whose recurrent matrices are diagonal.

The latter two are computed step by step, or by Newton's method over all steps at once: the derivatives of a step by the state
before it are blocks of one number a unit, or of two by two, so that an iteration is a linear recurrence of such blocks (Danieli
et al. 2025, arXiv:2510.21450).

Shapes: B rows, T steps, F features in, H hidden units, G gates, K numbers of the state of each unit.
"""

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..products import linear
from ..sequences import State, at_least_single, leaves
from .architecture import LOOP, NONE, have_masks
from .initialisation import ForgetBias, Init
from .newton import by_newton, with_gradients
from .parallel import IndependentSequence
from .stepwise import Cell


class DiagonalCell(Cell):
    """A cell with a diagonal U, each unit of which keeps K numbers, its output the first of them.

    ``solver`` says how the states of a sequence are found, step by step or by Newton's method; gradients are those of one scan
    for both. It computes in single precision at least. ``iterations`` are those of the last sequence, ``most_iterations`` those
    of the one that took most of them; 0 by steps.
    """

    backend = "own backward pass"
    diagonal = True
    scans = True
    options = ("solver",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        init: Init = "orthogonal",
        forget_bias: ForgetBias = 1.0,
        solver: str = "steps",
    ) -> None:
        super().__init__(input_size, hidden_size, init=init, forget_bias=forget_bias)
        self.solver, self.iterations, self.most_iterations = solver, 0, 0

    @classmethod
    def backend_on(cls, device: str, keywords: Mapping[str, Any] = NONE) -> str:
        return "newton" if keywords.get("solver") == "newton" else cls.backend

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    @abstractmethod
    def advance(self, projected: Tensor, before: Tensor) -> Tensor:
        """The states (..., K, B, H) after a step, of its projected input (..., B, G * H) and those before it."""

    @abstractmethod
    def linearised(self, projected: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """As `advance`, with the derivatives (..., K, K, B, H) of the states after by those before, which have no gradients."""

    def weights(self, parameter: Tensor) -> tuple[Tensor, ...]:
        """The blocks (H,) of a vector of weights, one for each gate."""
        return at_least_single(parameter).split(self.hidden_size)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        after = self.advance(at_least_single(projected), torch.stack(leaves(state)))
        return after[0].to(projected.dtype), _state(after)

    def sequence(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        inputs, start = at_least_single(projected), torch.stack(leaves(state))
        linearise = partial(self.linearised, inputs)
        with torch.no_grad():
            if self.solver == "newton":
                states, self.iterations = by_newton(linearise, start, len(inputs))
                self.most_iterations = max(self.iterations, self.most_iterations)
            else:
                states = self.by_steps(inputs, start)
        states = with_gradients(linearise, states, start)
        return states[:, 0].to(projected.dtype), _state(states.transpose(0, 1))

    def by_steps(self, inputs: Tensor, before: Tensor) -> Tensor:
        """The states (T, K, B, H) after each step."""
        states = []
        for projected in inputs.unbind():
            before = self.advance(projected, before)
            states.append(before)
        return torch.stack(states)


def _state(numbers: Tensor) -> State:
    """The state of ``numbers`` (K, ...): a tensor, or a tuple of them."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers.unbind())


class DiagonalGRU(DiagonalCell):
    """The GRU with diagonal recurrent matrices (ParaGRU of Danieli et al. 2025, arXiv:2510.21450, equation 3.1a).

    z, r = s(W x + u * h + b) by gate, n = tanh(W_n x + u_n * (r * h) + b_n), h' = (1 - z) * h + z * n, with a vector u for each
    gate, the blocks of its ``recurrent_weight``.
    """

    label = "Diagonal GRU"
    gates = ("update", "reset", "candidate")

    def start(self, inputs: Tensor) -> State:
        return at_least_single(self.zeros(inputs))

    def activations(self, projected: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The update gate, the reset gate and the candidate."""
        (update, reset, candidate), weights = projected.chunk(3, -1), self.weights(self.recurrent_weight)
        update = torch.addcmul(update, weights[0], hidden).sigmoid()
        reset = torch.addcmul(reset, weights[1], hidden).sigmoid()
        return update, reset, torch.addcmul(candidate, weights[2], reset * hidden).tanh()

    def advance(self, projected: Tensor, before: Tensor) -> Tensor:
        (hidden,) = before.unbind(-3)
        update, _, candidate = self.activations(projected, hidden)
        return torch.lerp(hidden, candidate, update).unsqueeze(-3)

    def linearised(self, projected: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        (hidden,) = before.unbind(-3)
        update, reset, candidate = self.activations(projected, hidden)
        after = torch.lerp(hidden, candidate, update).unsqueeze(-3)
        with torch.no_grad():
            by_update, by_reset, by_candidate = self.weights(self.recurrent_weight)
            inner = reset * (1 + hidden * (1 - reset) * by_reset)  # of r * h
            slope = 1 - update + (candidate - hidden) * update * (1 - update) * by_update
            slope += update * (1 - candidate * candidate) * by_candidate * inner
        return after, slope.unsqueeze(-3).unsqueeze(-3)


class DiagonalLSTM(DiagonalCell):
    """The LSTM with diagonal recurrent matrices, coupled gates and peepholes (ParaLSTM of Danieli et al. 2025,
    arXiv:2510.21450, equation 3.1b).

    f = s(W_f x + u_f * h + p_f * c + b_f), n = tanh(W_n x + u_n * h + b_n), c' = f * c + (1 - f) * n,
    o = s(W_o x + u_o * h + p_o * c' + b_o), h' = o * tanh(c'). The state is the pair (h, c).
    """

    label = "Diagonal LSTM"
    gates = ("forget", "output", "candidate")
    forget_peephole: Tensor
    output_peephole: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        return {f"{gate}_peephole": torch.zeros(self.hidden_size) for gate in ("forget", "output")}

    def start(self, inputs: Tensor) -> State:
        return (at_least_single(self.zeros(inputs)),) * 2

    def activations(self, projected: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        """The forget gate, the candidate, the memory cell after, the output gate, and the memory cell bounded."""
        (forget, output, candidate), weights = projected.chunk(3, -1), self.weights(self.recurrent_weight)
        to_forget, to_output = (at_least_single(part) for part in (self.forget_peephole, self.output_peephole))
        forget = torch.addcmul(torch.addcmul(forget, weights[0], hidden), to_forget, cell).sigmoid()
        candidate = torch.addcmul(candidate, weights[2], hidden).tanh()
        cell = torch.lerp(candidate, cell, forget)
        output = torch.addcmul(torch.addcmul(output, weights[1], hidden), to_output, cell).sigmoid()
        return forget, candidate, cell, output, cell.tanh()

    def advance(self, projected: Tensor, before: Tensor) -> Tensor:
        _, _, cell, output, bounded = self.activations(projected, *before.unbind(-3))
        return torch.stack([output * bounded, cell], -3)

    def linearised(self, projected: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        hidden, before_cell = before.unbind(-3)
        forget, candidate, cell, output, bounded = self.activations(projected, hidden, before_cell)
        after = torch.stack([output * bounded, cell], -3)
        with torch.no_grad():
            by_forget, by_output, by_candidate = self.weights(self.recurrent_weight)
            through_gate = (before_cell - candidate) * forget * (1 - forget)
            cell_by_hidden = through_gate * by_forget + (1 - forget) * (1 - candidate * candidate) * by_candidate
            cell_by_cell = torch.addcmul(forget, through_gate, at_least_single(self.forget_peephole))
            slope = bounded * output * (1 - output)
            into_cell = torch.addcmul(output * (1 - bounded * bounded), slope, at_least_single(self.output_peephole))
            by_row = [slope * by_output + into_cell * cell_by_hidden, into_cell * cell_by_cell, cell_by_hidden, cell_by_cell]
        return after, torch.stack(by_row, -3).unflatten(-3, (2, 2))


class IndRNN(Cell):
    """The independently recurrent network (Li et al. 2018, arXiv:1803.04831): h' = max(0, W x + b + u * h).

    u (H,) is a weight for each unit, its ``recurrent_weight``, which starts between 0 and 1. It computes in single precision at
    least.
    """

    label = "IndRNN"
    backend = "own backward pass"
    gates = ("hidden",)
    diagonal = True
    scans = True
    options = ("zoneout",)

    def start(self, inputs: Tensor) -> State:
        return at_least_single(self.zeros(inputs))

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        hidden = torch.addcmul(at_least_single(projected), at_least_single(self.recurrent_weight), state).relu()
        return hidden.to(projected.dtype), hidden

    def sequence(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        outputs: Any = IndependentSequence.apply(at_least_single(projected), state, at_least_single(self.recurrent_weight))
        return outputs.to(projected.dtype), outputs

    @classmethod
    def backend_on(cls, device: str, keywords: Mapping[str, Any] = NONE) -> str:
        return LOOP if have_masks(keywords) else cls.backend
