"""Variants of the LSTM, whose steps are computed one by one or, on the CPU, by a backward pass written for them.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from ..kernels import AUTO
from ..products import linear
from ..sequences import State
from .architecture import MASKS, NONE, have_masks
from .compiled_lstm import CompiledLayerNorm, CompiledLSTM
from .compiled_stack import read_layer
from .exported import Operator, by_operator
from .kernels import kernels, library
from .own_backward import LayerNormSequence, PeepholeSequence
from .steps import Steps
from .stepwise import Cell


class LSTMCell(Cell):
    """A cell with the state (h, c), and with all steps at once in two forms: in PyTorch, and with steps compiled from C."""

    gates = ("input", "forget", "output", "candidate")
    options = MASKS
    in_pytorch: ClassVar[type[Function]]
    in_c: ClassVar[type[Function]]

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs), self.zeros(inputs)

    def sequence(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        found: Any = self.in_pytorch.apply(projected, *state, self.recurrent_weight, *self.shared())
        return found[0], found

    def whole(self, inputs: Tensor, lengths: Tensor | None, state: Any) -> tuple[Tensor, State] | None:
        kernel = kernels(inputs, *state, *self.parameters()) if self.chosen_backend == AUTO else None
        if kernel is None:
            return super().whole(inputs, lengths, state)

        def compute(steps: Steps, packed: Tensor, start: tuple[Tensor, Tensor]) -> Any:
            (hidden, cell), weights = start, (self.input_weight, self.recurrent_weight)
            return self.in_c.apply(kernel, steps, packed, hidden, *weights, cell, *self.vectors())

        return read_layer(compute, inputs, lengths, state)

    def vectors(self) -> tuple[Tensor, ...]:
        """The biases and what else all steps share, as `in_c` takes them."""
        raise NotImplementedError

    @classmethod
    def backend_on(cls, device: str, keywords: Mapping[str, Any] = NONE) -> str:
        if device != "cpu" or have_masks(keywords):
            return cls.backend
        return "own backward pass, compiled" if library() else "own backward pass"


class LayerNormLSTM(LSTMCell):
    """The LSTM with layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 20 to 22).

    i, f, o, g from LN(U h) + LN(W x) + b, c' = s(f) * c + s(i) * tanh(g), h' = s(o) * tanh(LN(c')); every LN has a gain of
    its own, the last one a bias too. The state is the pair (h, c).
    """

    label = "LayerNorm-LSTM"
    triton = "LAYER_NORM"
    in_pytorch, in_c = LayerNormSequence, CompiledLayerNorm
    input_gain: Tensor
    recurrent_gain: Tensor
    cell_gain: Tensor
    cell_bias: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        gains = {name: torch.ones(4 * self.hidden_size) for name in ("input_gain", "recurrent_gain")}
        return {**gains, "cell_gain": torch.ones(self.hidden_size), "cell_bias": torch.zeros(self.hidden_size)}

    def project(self, inputs: Tensor) -> Tensor:
        products = linear(inputs, self.input_weight)
        return F.layer_norm(products, products.shape[-1:], self.input_gain, self.bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, cell = state
        products = F.linear(hidden, self.recurrent_weight)
        gates = F.layer_norm(products, products.shape[-1:], self.recurrent_gain) + projected
        input_gate, forget_gate, output_gate = gates[:, : 3 * self.hidden_size].sigmoid().chunk(3, 1)
        cell = forget_gate * cell + input_gate * self.dropped(gates[:, 3 * self.hidden_size :].tanh())
        normal = F.layer_norm(cell, cell.shape[-1:], self.cell_gain, self.cell_bias)
        hidden = output_gate * normal.tanh()
        return hidden, (hidden, cell)

    def shared(self) -> tuple[Tensor, ...]:
        return self.recurrent_gain, self.cell_gain, self.cell_bias

    def vectors(self) -> tuple[Tensor, ...]:
        return self.input_gain, self.bias, *self.shared()


class PeepholeLSTM(LSTMCell):
    """The LSTM whose gates see the memory cell (Gers and Schmidhuber 2000; Graves 2013, arXiv:1308.0850, equations 7 to 11).

    i = s(.. + p_i * c), f = s(.. + p_f * c), c' = f * c + i * tanh(g), o = s(.. + p_o * c'), h' = o * tanh(c').
    The state is the pair (h, c).
    """

    label = "Peephole LSTM"
    triton = "PEEPHOLE"
    in_pytorch, in_c = PeepholeSequence, CompiledLSTM
    renamed: ClassVar = {"entrance_peephole": "input_peephole", "exit_peephole": "output_peephole"}
    input_peephole: Tensor
    forget_peephole: Tensor
    output_peephole: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        return {f"{gate}_peephole": torch.zeros(self.hidden_size) for gate in ("input", "forget", "output")}

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, cell = state
        input_gate, forget_gate, output_gate, candidate = (projected + F.linear(hidden, self.recurrent_weight)).chunk(4, 1)
        input_gate = (input_gate + self.input_peephole * cell).sigmoid()
        forget_gate = (forget_gate + self.forget_peephole * cell).sigmoid()
        cell = forget_gate * cell + input_gate * self.dropped(candidate.tanh())
        hidden = (output_gate + self.output_peephole * cell).sigmoid() * cell.tanh()
        return hidden, (hidden, cell)

    def exported(self, inputs: Tensor, lengths: Tensor | None, state: Any) -> tuple[Tensor, State]:
        if not torch.onnx.is_in_onnx_export() or self.has_masks:
            return super().exported(inputs, lengths, state)
        weights = self.input_weight, self.recurrent_weight, self.bias, torch.zeros_like(self.bias)
        peepholes = torch.cat([self.input_peephole, self.output_peephole, self.forget_peephole])
        return by_operator(Operator("LSTM", (0, 2, 1, 3), {}), inputs, lengths, state, weights, peepholes=peepholes)

    def shared(self) -> tuple[Tensor, ...]:
        return (torch.stack([self.input_peephole, self.forget_peephole, self.output_peephole]),)

    def vectors(self) -> tuple[Tensor, ...]:
        return self.bias, *self.shared()


class LSTMP(Cell):
    """The LSTM whose output is a projection of its memory (Sak et al. 2014, arXiv:1402.1128, LSTMP without peepholes).

    i, f, o = s(W x + U r + b) by gate, c' = f * c + i * tanh(g), r' = P (o * tanh(c')): there are ``expansion`` memory cells
    for each of the H outputs, M in all, and U is (4 M, H). ``torch.nn.LSTM`` calls M ``hidden_size`` and H ``proj_size``. The
    state is the pair (r, c).
    """

    label = "LSTMP"
    gates = ("input", "forget", "candidate", "output")
    options = ("expansion", *MASKS)
    projection_weight: Tensor

    def extra_parameters(self) -> dict[str, Tensor]:
        weight = torch.empty(self.hidden_size, self.expansion * self.hidden_size)
        return {"projection_weight": nn.init.xavier_uniform_(weight)}

    def start(self, inputs: Tensor) -> State:
        hidden = self.zeros(inputs)
        return hidden, hidden.repeat(1, self.expansion)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, cell = state
        gates = projected + F.linear(hidden, self.recurrent_weight)
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, 1)
        input_gate, forget_gate = input_gate.sigmoid(), forget_gate.sigmoid()
        cell = forget_gate * cell + input_gate * self.dropped(candidate.tanh())
        hidden = F.linear(output_gate.sigmoid() * cell.tanh(), self.projection_weight)
        return hidden, (hidden, cell)
