"""Cells whose recurrence is linear in the state, h_t = a_t * h_{t-1} + b_t, and so computed for all steps at once.

Neither a nor b depends on the state. A step is the same function, of a sequence of one.

Shapes: B rows, T steps, F features in, H hidden units, P features of a projected input.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..products import linear
from ..sequences import State, at_least_single, map_state
from .exported import scanned
from .parallel import scan, single_step
from .stepwise import Cell

Scan: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""a and b (T, B, H) and the state before them (B, H) to the states after each step (T, B, H)."""


class ScanCell(Cell):
    """A cell that gives a and b of its recurrence by `coefficients`; it computes in single precision at least.

    ``blocks`` are the projected inputs by gate, (T, B, H) each.
    """

    backend = "scan"
    scans = True
    has_recurrent_weight = False

    def start(self, inputs: Tensor) -> State:
        return at_least_single(self.zeros(inputs))

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    @abstractmethod
    def coefficients(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        """a and b, (T, B, H) both; an a that is always the same may have the shape (H,)."""

    def output(self, hidden: Tensor, *blocks: Tensor) -> Tensor:
        """The outputs (T, B, H), from the states after each step."""
        return hidden

    def read(self, projected: Tensor, state: Any, scan: Scan) -> tuple[Tensor, State]:
        """The outputs, in the precision of the product of the inputs, and the states after each step, by ``scan``."""
        blocks = at_least_single(projected).chunk(len(self.gates), -1)
        hidden = scan(*self.coefficients(*blocks), state)
        return self.output(hidden, *blocks).to(projected.dtype), hidden

    def sequence(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        return self.read(projected, state, scan)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, states = self.read(projected.unsqueeze(0), state, single_step)
        return outputs[0], map_state(lambda part: part[0], states)


class MinGRU(ScanCell):
    """The minimal GRU (Feng et al. 2024, arXiv:2410.01201), with the candidates above 0 of its form in log space.

    z = s(W_z x + b_z), n = g(W_n x + b_n), h' = (1 - z) * h + z * n; g(v) = v + 1/2 from 0 on, s(v) below.
    """

    label = "minGRU"
    gates = ("update", "candidate")

    def coefficients(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        update, candidate = blocks
        update = update.sigmoid()
        return 1 - update, update * positive(candidate)


class MinLSTM(ScanCell):
    """The minimal LSTM (Feng et al. 2024, arXiv:2410.01201), with the candidates above 0 of its form in log space.

    f = s(W_f x + b_f), i = s(W_i x + b_i), n = g(W_n x + b_n), h' = f / (f + i) * h + i / (f + i) * n; g as in `MinGRU`.
    """

    label = "minLSTM"
    gates = ("forget", "input", "candidate")

    def coefficients(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        forget, enter, candidate = blocks
        enter = (F.logsigmoid(enter) - F.logsigmoid(forget)).sigmoid()  # i / (f + i), also where both are 0
        return 1 - enter, enter * positive(candidate)


def positive(values: Tensor) -> Tensor:
    """v + 1/2 from 0 on, the sigmoid below."""
    return values.relu() + (-(-values).relu()).sigmoid()


class SRU(ScanCell):
    """The simple recurrent unit (Lei et al. 2018, arXiv:1709.02755), whose gates see the input alone, as in its first version.

    f = s(W_f x + b_f), r = s(W_r x + b_r), c' = f * c + (1 - f) * (W x + b), h' = r * c' + (1 - r) * (W_s x + b_s). The input
    passes by the recurrence through W_s whatever its width. The terms v * c, which later versions add within f and r, are left
    out: with them the recurrence is not linear. The state is c.
    """

    label = "SRU"
    gates = ("candidate", "forget", "reset", "skip")

    def coefficients(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        candidate, forget, _, _ = blocks
        forget = forget.sigmoid()
        return forget, (1 - forget) * candidate

    def output(self, hidden: Tensor, *blocks: Tensor) -> Tensor:
        _, _, reset, skip = blocks
        return torch.lerp(skip, hidden, reset.sigmoid())


class QRNN1(ScanCell):
    """The quasi-recurrent network (Bradbury et al. 2017, arXiv:1611.01576, equation 4: fo-pooling) with a window of one step.

    z = tanh(W_z x + b_z), f = s(W_f x + b_f), o = s(W_o x + b_o), c' = f * c + (1 - f) * z, h' = o * c'. The state is c.
    """

    label = "QRNN, window 1"
    gates = ("candidate", "forget", "output")

    def coefficients(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        candidate, forget, _ = blocks
        forget = forget.sigmoid()
        return forget, (1 - forget) * candidate.tanh()

    def output(self, hidden: Tensor, *blocks: Tensor) -> Tensor:
        return blocks[2].sigmoid() * hidden


class QRNN(QRNN1):
    """The quasi-recurrent network (Bradbury et al. 2017, arXiv:1611.01576, equations 1 and 4) with a window of two steps.

    As `QRNN1`, but each product is W x_t + V x_{t-1} + b, with [W V] (3 H, 2 F) as the input weight and x_0 = 0. The state is
    the pair (x_{t-1}, c).
    """

    label = "QRNN"
    window = 2

    def start(self, inputs: Tensor) -> State:
        memory = at_least_single(self.zeros(inputs))
        return memory.new_zeros(inputs.shape[0], self.input_size), memory

    def project(self, inputs: Tensor) -> Tensor:
        return inputs

    def read(self, projected: Tensor, state: Any, scan: Scan) -> tuple[Tensor, State]:
        before, memory = state
        both = torch.cat([projected, torch.cat([before.unsqueeze(0), projected[:-1]])], 2)
        products = linear(both.to(self.input_weight.dtype), self.input_weight, self.bias)
        outputs, memories = super().read(products, memory, scan)
        return outputs, (at_least_single(projected), memories)


class LRU(ScanCell):
    """The linear recurrent unit (Orvieto et al. 2023, arXiv:2303.06349), complex and diagonal, with GELU after it.

    l = exp(-exp(v) + i exp(p)), x' = l * x + exp(g) * (B u + b), h' = GELU(Re(C x') + D u + d) for an input u. B, D, b and d
    are blocks of the input weight and bias; |l| starts between 0.9 and 0.999, exp(g) at sqrt(1 - |l|^2). The state (B, 2 H)
    holds real and imaginary parts of x in turn.
    """

    label = "LRU"
    gates = ("real", "imaginary", "skip")
    log_decay: Tensor
    log_phase: Tensor
    log_scale: Tensor
    output_weight: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        size = self.hidden_size
        squared = 0.9**2 + (0.999**2 - 0.9**2) * torch.rand(size)
        return {
            "log_decay": (-squared.log() / 2).log(),
            "log_phase": (2 * math.pi * (1 - torch.rand(size))).log(),
            "log_scale": (1 - squared).log() / 2,
            "output_weight": torch.randn(size, 2 * size) * (2 * size) ** -0.5,
        }

    def start(self, inputs: Tensor) -> State:
        return at_least_single(self.zeros(inputs)).repeat(1, 2)

    def project(self, inputs: Tensor) -> Tensor:
        scale = self.log_scale.exp()
        by_row = torch.cat([scale, scale, torch.ones_like(scale)])
        return linear(inputs, self.input_weight * by_row.unsqueeze(1), self.bias * by_row)

    def coefficients(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        decay, phase = at_least_single(self.log_decay).exp(), at_least_single(self.log_phase).exp()
        return torch.polar((-decay).exp(), phase), torch.complex(*blocks[:2])

    def output(self, hidden: Tensor, *blocks: Tensor) -> Tensor:
        return F.gelu(linear(hidden.to(self.output_weight.dtype), self.output_weight) + blocks[2])

    def exported(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        size, phase = (-self.log_decay.exp()).exp(), self.log_phase.exp()
        real, imaginary = size * phase.cos(), size * phase.sin()  # complex numbers are in no ONNX

        def step(projected: Tensor, before: Any) -> tuple[Tensor, State]:
            (one, other), (more, beside, skip) = before.unflatten(1, (-1, 2)).unbind(2), projected.chunk(3, 1)
            hidden = torch.stack([real * one - imaginary * other + more, real * other + imaginary * one + beside], 2).flatten(1)
            return self.output(hidden, more, beside, skip), hidden

        return scanned(step, self.project(inputs), lengths, state)

    def read(self, projected: Tensor, state: Any, scan: Scan) -> tuple[Tensor, State]:
        blocks = at_least_single(projected).chunk(3, -1)
        start = torch.view_as_complex(state.unflatten(1, (-1, 2)).contiguous())
        hidden = torch.view_as_real(scan(*self.coefficients(*blocks), start)).flatten(-2)
        return self.output(hidden, *blocks).to(projected.dtype), hidden
