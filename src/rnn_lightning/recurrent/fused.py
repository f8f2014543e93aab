"""Elman, LSTM and GRU: all layers and both directions in one call of PyTorch's fused kernels or, on the CPU, by compiled steps.

Shapes: B rows, T steps, F features in, H hidden units, L layers, D directions (1 or 2), G gates.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from ctypes import CDLL
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..kernels import AUTO
from ..sequences import State, map_state, select_state
from .architecture import LOOP, NONE, Architecture, Layout, have_masks
from .compiled_stack import read_stack
from .contract import Recurrent
from .exported import Operator, by_operator, scanned
from .initial_state import LearnedStart
from .initialisation import ForgetBias, Init, initialise
from .kernels import kernels, library
from .layers import Parts, Weights, read_layers
from .onestep import joined, linear
from .padded import Cost, PaddedReader, at_the_end, plan_groups
from .steps import Steps
from .stepwise import Cell

SATURATED = 1e4
"""An input to a gate at which the sigmoid is exactly 0 or 1 in every precision."""


class Fused(Recurrent, Architecture):
    """A stack that ``torch.nn`` computes as a whole; the state is batch-first: (B, L * D, H) for each of its tensors.

    ``kernel`` is the class of ``torch.nn`` that does the work, called with ``kernel_options`` besides the sizes, ``function``
    computes one layer of it in one direction, as ``operator`` does in ONNX, and ``state_tensors`` is the number of tensors that
    it keeps. Rows may be padded where its outputs are ``bounded``: the gradient of the padding is zero times these. Where the
    machine has compiled steps and ``at_once`` is not false, these take the kernel's place on the CPU.
    """

    backend = "fused"
    kernel: ClassVar[Callable[..., nn.RNNBase]]
    operator: ClassVar[Operator]
    function: ClassVar[Callable[..., tuple[Tensor, ...]]]
    kernel_options: ClassVar[Mapping[str, str]] = {}
    stepped: ClassVar[type[Cell] | None] = None
    """The same equations as a cell, where there are masks within its steps."""
    at_once = True
    state_tensors: ClassVar[int] = 1
    bounded: ClassVar[bool] = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        init: Init = "orthogonal",
        forget_bias: ForgetBias = 1.0,
        learned: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.bidirectional = input_size, bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        sizes: dict[str, Any] = {"num_layers": num_layers, "bidirectional": bidirectional, "batch_first": True}
        self.core = self.kernel(input_size, hidden_size, **sizes, **self.kernel_options)
        initialise(self.core, self.gates, init, forget_bias, drawn=True)
        self.products: Sequence[Callable[[Tensor], Tensor]] | nn.ModuleList | None = None
        """The one product that each layer takes for a step, if it has been given one."""
        self.learned: LearnedStart | None = None
        if learned:
            self.learned = LearnedStart(self.start(torch.empty(1, 1)), {})

    @classmethod
    def backend_on(cls, device: str, keywords: Mapping[str, Any] = NONE) -> str:
        if have_masks(keywords):
            return LOOP
        return "own backward pass, compiled" if device == "cpu" and library() else cls.backend

    @classmethod
    def layer(cls, input_size: int, layout: Layout) -> Recurrent:
        if layout.has_masks and cls.stepped is not None:
            return cls.stepped.layer(input_size, layout)
        return cls.stack(input_size, replace(layout, num_layers=1, residual=False, block="plain"))

    @classmethod
    def stack(cls, input_size: int, layout: Layout) -> Recurrent:
        # The kernel has nothing between its layers, nor within its steps.
        between = layout.residual or layout.block != "plain" or (layout.dropout and layout.num_layers > 1)
        if between or layout.has_masks:
            return super().stack(input_size, layout)
        return cls(
            input_size,
            layout.hidden_size,
            num_layers=layout.num_layers,
            bidirectional=layout.bidirectional,
            init=layout.init,
            forget_bias=layout.forget_bias,
            learned=layout.initial_state == "learned",
        )

    def start(self, inputs: Tensor) -> State:
        layers = self.core.num_layers * (2 if self.bidirectional else 1)
        # A prepared core holds no parameters; the state then has the type of what it reads.
        zeros = getattr(self.core, "weight_ih_l0", inputs).new_zeros(inputs.shape[0], layers, self.core.hidden_size)
        start = zeros if self.state_tensors == 1 else (zeros,) * self.state_tensors
        return start if self.learned is None else self.learned(start)

    def join_weights(self) -> None:
        """Make a copy of the weights for reads of one step, which then take one product a layer; for inference."""
        if not self.bidirectional:
            self.products = nn.ModuleList(linear(*self.join(weights)) for weights in self.core.all_weights)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        if torch.compiler.is_exporting():
            return self._read_exported(inputs, lengths, state)
        if self.products is not None and lengths is None and inputs.shape[1] == 1:
            return self._read_step(self.products, inputs[:, 0], state)
        parts = (state,) if isinstance(state, Tensor) else state
        kernel = self.compiled(inputs, lengths, parts)
        if kernel is not None:
            return self._as_state(*read_stack(partial(self.by_steps, kernel), self.core, inputs, lengths, parts))
        groups = self._groups(inputs, lengths)
        if lengths is None and not groups:
            outputs, last = self.core(inputs, map_state(_layers_first, state))
            return outputs, map_state(lambda part: part.transpose(0, 1), last)
        lengths = torch.full(inputs.shape[:1], inputs.shape[1]) if lengths is None else lengths
        if not groups:
            return self._read_packed(inputs, lengths, state)
        return self._as_state(*PaddedReader(self.core, self.one_way).read(inputs, lengths, parts, groups))

    def compiled(self, inputs: Tensor, lengths: Tensor | None, state: Parts) -> CDLL | None:
        """The compiled steps that read ``inputs`` (B, T, F) in the place of the kernel, if there are any."""
        several = lengths is not None or inputs.shape[1] > 1
        there = several and self.at_once and self._is_plain and not torch.is_autocast_enabled("cpu")
        return kernels(inputs, *state, *chain(*self.core.all_weights)) if there else None

    @abstractmethod
    def by_steps(self, kernel: CDLL, steps: Steps, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> Parts:
        """The parts of the state after each step, the first the outputs, by a compiled ``kernel``: see `Compute`."""

    @property
    def _is_plain(self) -> bool:
        """Whether the weights are parameters, and no kernel is asked for."""
        return type(self.core) is self.kernel and self.chosen_backend == AUTO

    def _read_exported(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        parts = (state,) if isinstance(state, Tensor) else state

        def layer(inputs: Tensor, start: Parts, weights: Weights, backwards: bool) -> tuple[Tensor, Any]:
            if torch.onnx.is_in_onnx_export():
                return by_operator(self.operator, inputs, lengths, start, weights, backwards=backwards)
            weight, bias = self.join(weights)
            from_inputs, recurrent = weight.split([inputs.shape[2], self.core.hidden_size], 1)

            def step(projected: Tensor, before: Any) -> tuple[Tensor, State]:
                after = self.advance(projected + F.linear(before[0], recurrent), before)
                return after[0], after

            return scanned(step, F.linear(inputs, from_inputs, bias), lengths, start, backwards=backwards)

        return self._as_state(*read_layers(layer, self.core, inputs, parts))

    def _as_state(self, outputs: Tensor, parts: Parts) -> tuple[Tensor, State]:
        return outputs, parts[0] if self.state_tensors == 1 else parts

    @property
    def takes_products(self) -> bool:
        """Whether it can be given the products of a step, has none yet, and no kernel is asked for."""
        return self.products is None and not self.bidirectional and self._is_plain

    def _read_step(self, products: Iterable[Callable[[Tensor], Tensor]], inputs: Tensor, state: State) -> tuple[Tensor, State]:
        parts, after = (state,) if isinstance(state, Tensor) else state, []
        for layer, product in enumerate(products):
            before = tuple(part[:, layer] for part in parts)
            after.append(self.advance(product(torch.cat([inputs, before[0]], 1)), before))
            inputs = after[-1][0]
        return self._as_state(inputs.unsqueeze(1), tuple(torch.stack(layers, 1) for layers in zip(*after, strict=True)))

    def join(self, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The weight and bias of the one product of a layer's step, by which `advance` goes on."""
        return joined(weights)

    @abstractmethod
    def advance(self, product: Tensor, state: Parts) -> Parts:
        """From the product of a layer's step and its state (N, H) to the state after it; its first part is the output."""

    def one_way(self, inputs: Tensor, lengths: Tensor, start: Parts, weights: Sequence[Tensor]) -> tuple[Tensor, Parts]:
        """One layer in one direction on padded rows, as `OneWay` says."""
        if self.chosen_backend != AUTO:
            outputs, states = self.by_kernel(inputs.transpose(0, 1), start, weights)
            after = (at_the_end(part.transpose(0, 1), lengths, before) for part, before in zip(states, start, strict=True))
            return outputs.transpose(0, 1), tuple(after)
        (hidden,) = start
        outputs, _ = self.function(inputs, hidden.unsqueeze(0), weights, True, 1, 0.0, self.training, False, True)
        return outputs, (at_the_end(outputs, lengths, hidden),)

    def by_kernel(self, inputs: Tensor, start: Parts, weights: Sequence[Tensor]) -> tuple[Tensor, Parts]:
        """The outputs and states after each step (T, R, H) by a kernel: of one layer in one direction, from ``inputs``
        (T, R, F) and the state at the ``start``."""
        raise NotImplementedError

    def cost(self) -> Cost:
        """What padded rows cost on the CPU (`benchmarks.lengths` measures it)."""
        step = 1 + 1600 / self._width()
        return Cost(step, 2 * step)

    def cost_packed(self, lengths: Sequence[int]) -> float:
        """What packed rows cost, in the units of `cost`: no padding, but a backward pass quadratic in the steps."""
        steps, total = max(lengths), sum(lengths)
        return steps * self.cost().step + total + (1.5 * steps * total / self._width() if torch.is_grad_enabled() else 0)

    def _width(self) -> float:
        """The features that a layer multiplies with weights, halved: H, where it reads as many as it makes."""
        read = [self.input_size, *[self.output_size] * (self.core.num_layers - 1)]
        return (sum(read) / len(read) + self.core.hidden_size) / 2

    def _groups(self, inputs: Tensor, lengths: Tensor | None) -> list[list[int]]:
        """The groups in which to read padded rows; none where the kernel itself, by packing, is faster, or all there is."""
        if self.chosen_backend != AUTO:
            return [[*range(len(inputs))]]
        if lengths is None or inputs.device.type != "cpu" or type(self.core) is not self.kernel or not self.bounded:
            return []
        return plan_groups(lengths.tolist(), self.cost(), self.cost_packed(lengths.tolist()))

    def _read_packed(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        # Packing refuses empty rows: they read one step of zeros, whose outcome is then dropped.
        packed = pack_padded_sequence(inputs, lengths.cpu().clamp(min=1), batch_first=True, enforce_sorted=False)
        packed, last = self.core(packed, map_state(_layers_first, state))
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=inputs.shape[1])
        last = map_state(lambda part: part.transpose(0, 1), last)
        return outputs, select_state(lengths.to(inputs.device) > 0, last, state)


def _layers_first(part: Tensor) -> Tensor:
    """A state's tensor (B, L * D, H) as the kernels take it: (L * D, B, H)."""
    return part.transpose(0, 1).contiguous()


def fused_layers(network: nn.Module) -> list[Fused]:
    """The layers of ``network`` that PyTorch's kernels compute."""
    return [part for part in network.modules() if isinstance(part, Fused)]
