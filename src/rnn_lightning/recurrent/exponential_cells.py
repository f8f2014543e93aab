"""The cells of xLSTM, whose input gates are exponential: a memory of scalars, and one of matrices without recurrent weights.

Both keep the logarithm m of a scale, the stabiliser: c and n are stored divided by exp(m), so that no exponential overflows.
The outputs do not depend on it. The causal convolution, the normalisation and the projections around a cell belong to the
blocks of the paper, and are not part of a cell here.

Shapes: B rows, T steps, F features in, H hidden units, N heads of D = H / N units.
"""

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..products import linear
from ..sequences import State, at_least_single, length_mask
from .matrix_memory import NEVER, floor, read_in_chunks
from .stepwise import Cell

LARGEST_SUM = 1e30
"""Sums of gates are taken to be no larger: differences of infinite ones are no numbers."""

LARGEST_LOGARITHM = 1e20
"""Input and forget gates of a matrix memory: sums of logarithms over all steps then stay above those of a gate that is shut."""

LARGEST_VECTOR = 1e9
"""Queries, keys and values of a matrix memory are scaled to have no larger numbers: single precision holds their products."""


class SLSTM(Cell):
    """The LSTM with exponential input gates and a normaliser (Beck et al. 2024, arXiv:2405.04517, equations 8 to 17).

    i = W_i x + U_i h + b_i, f, o = s(..), z = tanh(..), m' = max(log f + m, i), c' = f * c * exp(m - m') + exp(i - m') * z,
    n' = f * n * exp(m - m') + exp(i - m'), h' = o * c' / n'. U has no weights between units of different heads. The state is
    (h, c, n, m), zero at the start: where n = 0 nothing is stored, and m' = i. A learned start has an n of 1, as after a step
    whose input gate was 1, since a memory cell of which n is 0 is not read.
    """

    label = "sLSTM"
    gates = ("exponential input", "forget", "output", "candidate")
    options = ("heads", "recurrent_dropout")
    constants: ClassVar = {2: 1.0, 3: 0.0}

    def start(self, inputs: Tensor) -> State:
        hidden = self.zeros(inputs)
        return hidden, *[at_least_single(hidden)] * 3

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def products(self, hidden: Tensor) -> Tensor:
        """U h (B, 4 H), head by head."""
        if self.heads == 1:
            return F.linear(hidden, self.recurrent_weight)
        units = self.hidden_size // self.heads
        weight = self.recurrent_weight.unflatten(0, (4, self.heads, units)).permute(1, 3, 0, 2).flatten(2)  # (N, D, 4 D)
        found = torch.bmm(hidden.unflatten(1, (self.heads, units)).transpose(0, 1), weight)  # (N, B, 4 D)
        return found.unflatten(2, (4, units)).permute(1, 2, 0, 3).flatten(1)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        hidden, cell, normaliser, stabiliser = state
        sums = at_least_single(projected + self.products(hidden)).clamp(-LARGEST_SUM, LARGEST_SUM)
        enter, forget, output, candidate = sums.chunk(4, 1)
        kept = (F.logsigmoid(forget) + stabiliser).masked_fill(normaliser == 0, NEVER)
        after = torch.maximum(kept, enter)
        keep, enter = (kept - after).exp(), (enter - after).exp()
        cell = keep * cell + enter * self.dropped(candidate.tanh())
        normaliser = keep * normaliser + enter
        found = output.sigmoid() * cell / normaliser
        return found.to(projected.dtype), (found.to(hidden.dtype), cell, normaliser, after)


class Read(NamedTuple):
    """What an input says to a matrix memory: query, key and value (..., N, D), the logarithms of its input and forget gates
    (..., N), and its output gate (..., H)."""

    query: Tensor
    key: Tensor
    value: Tensor
    enter: Tensor
    keep: Tensor
    output: Tensor


def limited(vectors: Tensor) -> Tensor:
    """The ``vectors`` (..., D), of which those with numbers beyond `LARGEST_VECTOR` keep their direction alone."""
    most = torch.finfo(vectors.dtype).max
    vectors = vectors.clamp(-most, most)
    return vectors / (vectors.detach().abs().amax(-1, keepdim=True) / LARGEST_VECTOR).clamp(min=1)


class MLSTM(Cell):
    """The LSTM with a matrix for a memory, gated by the input alone (Beck et al. 2024, arXiv:2405.04517, equations 19 to 27).

    For each head q = W_q x + b_q, k = (W_k x + b_k) / sqrt(D), v = W_v x + b_v, i = w_i x + b_i, f = s(w_f x + b_f),
    m' = max(log f + m, i), C' = f * C * exp(m - m') + exp(i - m') * v k^T, n' = f * n * exp(m - m') + exp(i - m') * k, and
    h' = o * C' q / max(|n' q|, exp(-m')) with o = s(W_o x + b_o). The state is (C, n, m). All steps are computed in chunks,
    with products between the steps of a chunk in the place of the memories after each.
    """

    label = "mLSTM"
    backend = "chunks"
    gates = ("query", "key", "value", "output", "exponential input", "forget")
    options = ("heads",)
    scans = True
    has_recurrent_weight = False
    constants: ClassVar = {2: 0.0}

    def block_sizes(self) -> list[int]:
        return [self.hidden_size] * 4 + [self.heads] * 2

    def start(self, inputs: Tensor) -> State:
        rows, units = inputs.shape[0], self.hidden_size // self.heads
        new = at_least_single(self.zeros(inputs)).new_zeros
        return new(rows, self.heads, units, units), new(rows, self.heads, units), new(rows, self.heads)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def parts(self, projected: Tensor) -> Read:
        """What ``projected`` inputs (..., P) say."""
        *vectors, output, enter, forget = at_least_single(projected).split(self.block_sizes(), -1)
        query, key, value = (limited(each.unflatten(-1, (self.heads, -1))) for each in vectors)
        enter, forget = (gate.clamp(-LARGEST_LOGARITHM, LARGEST_LOGARITHM) for gate in (enter, forget))
        return Read(query, key * key.shape[-1] ** -0.5, value, enter, F.logsigmoid(forget), output.sigmoid())

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        (memory, normaliser, stabiliser), read = state, self.parts(projected)
        after = torch.maximum(read.keep + stabiliser, read.enter)
        keep, enter = (read.keep + stabiliser - after).exp().unsqueeze(2), (read.enter - after).exp().unsqueeze(2)
        memory = keep.unsqueeze(3) * memory + (enter * read.value).unsqueeze(3) * read.key.unsqueeze(2)
        normaliser = keep * normaliser + enter * read.key
        scale = torch.maximum((normaliser * read.query).sum(2).abs(), floor(after)).unsqueeze(2)
        found = read.output * ((memory * read.query.unsqueeze(2)).sum(3) / scale).flatten(1)
        return found.to(projected.dtype), (memory, normaliser, after)

    def whole(self, inputs: Tensor, lengths: Tensor | None, state: Any) -> tuple[Tensor, State]:
        projected = self.project(inputs)
        *vectors, enter, keep, output = self.parts(projected)
        if lengths is not None:  # a step of padding stores nothing and forgets nothing
            padding = ~length_mask(lengths.to(inputs.device), inputs.shape[1]).unsqueeze(2)
            enter, keep = enter.masked_fill(padding, NEVER), keep.masked_fill(padding, 0)
        heads_first = [part.transpose(1, 2) for part in (*vectors, enter, keep)]
        found, after = read_in_chunks(*heads_first, state=state)
        return (output * found.transpose(1, 2).flatten(2)).to(projected.dtype), after
