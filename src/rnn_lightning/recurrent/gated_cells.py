"""Gated cells that are computed step by step: relatives of the GRU and of the LSTM with fewer gates, or normalised ones.

Shapes: B rows, T steps, F features in, H hidden units.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..products import linear
from ..sequences import State
from .architecture import MASKS
from .stepwise import Cell

LARGE = 1e15
"""Products beyond it are normalised as it: their squares would have no sum in single precision."""


class OneStateCell(Cell):
    """A cell whose state is its output h (B, H), and whose inputs go through one product."""

    options = ("zoneout", "recurrent_dropout")

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)


class MinimalGatedUnit(OneStateCell):
    """The minimal gated unit (Zhou et al. 2016, arXiv:1603.09420): a GRU whose two gates are one.

    f = s(W_f x + U_f h + b_f), n = tanh(W_n x + U_n (f * h) + b_n), h' = (1 - f) * h + f * n. A forget gate of 1 takes the
    candidate, so that its bias starts at 0: it is called ``update`` here.
    """

    label = "Minimal gated unit"
    gates = ("update", "candidate")

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        (update, candidate), (update_weight, weight) = projected.chunk(2, 1), self.recurrent_weight.chunk(2)
        update = (update + F.linear(state, update_weight)).sigmoid()
        candidate = (candidate + F.linear(update * state, weight)).tanh()
        hidden = (1 - update) * state + update * self.dropped(candidate)
        return hidden, hidden


class JANET(OneStateCell):
    """The LSTM with the forget gate alone (van der Westhuizen and Lasenby 2018, arXiv:1804.04849, equations 8 to 11, beta = 1).

    u = W_f x + U_f h + b_f, f = s(u), h' = f * h + (1 - s(u - beta)) * tanh(W_n x + U_n h + b_n), of which 1 - s(u - beta) is
    computed from f, as (1 - f) / (1 - f + f * exp(-beta)).
    """

    label = "JANET"
    gates = ("forget", "candidate")
    beta = 1.0

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        forget, candidate = (projected + F.linear(state, self.recurrent_weight)).chunk(2, 1)
        forget = forget.sigmoid()
        enter = (1 - forget) / (1 - forget + forget * math.exp(-self.beta))
        hidden = forget * state + enter * self.dropped(candidate.tanh())
        return hidden, hidden


class LiGRU(OneStateCell):
    """The light GRU (Ravanelli et al. 2018, arXiv:1803.10225, equations 5 and 6): no reset gate, rectified candidates.

    z = s(LN(W_z x) + U_z h + b_z), n = max(0, LN(W_n x) + U_n h + b_n), h' = z * h + (1 - z) * n. The paper normalises over
    the batch; here each row is normalised alone (LN, with a gain), so that it does not depend on the others.
    """

    label = "Li-GRU"
    gates = ("update", "candidate")
    input_gain: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        return {"input_gain": torch.ones(2 * self.hidden_size)}

    def project(self, inputs: Tensor) -> Tensor:
        products = linear(inputs, self.input_weight).clamp(-LARGE, LARGE).unflatten(-1, (2, -1))
        normal = F.layer_norm(products, products.shape[-1:]).flatten(-2)
        return normal * self.input_gain + self.bias

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        update, candidate = (projected + F.linear(state, self.recurrent_weight)).chunk(2, 1)
        update = update.sigmoid()
        hidden = update * state + (1 - update) * self.dropped(candidate.relu())
        return hidden, hidden


class LayerNormGRU(OneStateCell):
    """The GRU with layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 27 to 30).

    (z, r) = s(LN(U_g h) + LN(W_g x) + b_g), n = tanh(LN(W_n x) + b_n + r * LN(U_n h)), h' = (1 - z) * h + z * n; every LN has
    a gain of its own.
    """

    label = "LayerNorm-GRU"
    gates = ("update", "reset", "candidate")
    input_gain: Tensor
    recurrent_gain: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        return {name: torch.ones(3 * self.hidden_size) for name in ("input_gain", "recurrent_gain")}

    def project(self, inputs: Tensor) -> Tensor:
        products = linear(inputs, self.input_weight).clamp(-LARGE, LARGE)
        return self.normalised(products) * self.input_gain + self.bias

    def normalised(self, products: Tensor) -> Tensor:
        """``products`` (..., 3 H) with the two gates normalised together, and the candidate by itself."""
        gates, candidate = products.split([2 * self.hidden_size, self.hidden_size], -1)
        return torch.cat([F.layer_norm(part, part.shape[-1:]) for part in (gates, candidate)], -1)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        products = self.normalised(F.linear(state, self.recurrent_weight)) * self.recurrent_gain
        gates, candidate = projected.split([2 * self.hidden_size, self.hidden_size], 1)
        update, reset = (gates + products[:, : 2 * self.hidden_size]).sigmoid().chunk(2, 1)
        candidate = (candidate + reset * products[:, 2 * self.hidden_size :]).tanh()
        hidden = (1 - update) * state + update * self.dropped(candidate)
        return hidden, hidden


class CoupledLSTM(Cell):
    """The LSTM whose input gate is 1 - f, coupled to its forget gate (Greff et al. 2017, arXiv:1503.04069, the variant CIFG).

    f, o = s(..), c' = f * c + (1 - f) * tanh(g), h' = o * tanh(c'). The state is the pair (h, c).
    """

    label = "Coupled LSTM"
    gates = ("forget", "output", "candidate")
    options = MASKS

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs), self.zeros(inputs)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        hidden, cell = state
        forget, output, candidate = (projected + F.linear(hidden, self.recurrent_weight)).chunk(3, 1)
        forget = forget.sigmoid()
        cell = forget * cell + (1 - forget) * self.dropped(candidate.tanh())
        hidden = output.sigmoid() * cell.tanh()
        return hidden, (hidden, cell)
