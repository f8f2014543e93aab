"""Networks made of networks: both directions, residual and highway connections, depth.

Shapes: B rows, T steps, F features in, H features out.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from ..products import Linear
from ..regularize import make_dropout
from ..sequences import State, reverse
from .contract import Recurrent


class Bidirectional(Recurrent):
    """Two networks, one of which reads each row backwards (Schuster and Paliwal 1997); the outputs stand side by side.

    The backward network reads from the row's last real step to its first, so its state is that of the first step.
    """

    bidirectional = True

    def __init__(self, forwards: Recurrent, backwards: Recurrent) -> None:
        super().__init__()
        if forwards.input_size != backwards.input_size:
            raise ValueError(f"both directions must read one width, not {forwards.input_size} and {backwards.input_size}")
        self.forwards, self.backwards = forwards, backwards
        self.input_size = forwards.input_size
        self.output_size = forwards.output_size + backwards.output_size

    def start(self, inputs: Tensor) -> State:
        return self.forwards.start(inputs), self.backwards.start(inputs)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        ahead, ahead_state = self.forwards(inputs, lengths, state[0])
        back, back_state = self.backwards(reverse(inputs, lengths), lengths, state[1])
        return torch.cat([ahead, reverse(back, lengths)], 2), (ahead_state, back_state)


class Wrapper(Recurrent):
    """A network around one other, whose widths and state it has."""

    def __init__(self, inner: Recurrent) -> None:
        super().__init__()
        self.inner = inner
        self.input_size, self.output_size = inner.input_size, inner.output_size
        self.bidirectional = inner.bidirectional

    def start(self, inputs: Tensor) -> State:
        return self.inner.start(inputs)


class Residual(Wrapper):
    """A network whose input is added to its output (He et al. 2016; in stacks of LSTMs Wu et al. 2016, arXiv:1609.08144)."""

    def __init__(self, inner: Recurrent) -> None:
        check_equal_widths("a residual connection", inner)
        super().__init__(inner)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        outputs, state = self.inner(inputs, lengths, state)
        return inputs + outputs, state


class Highway(Wrapper):
    """A network whose input passes it by as a gate says (Srivastava et al. 2015, arXiv:1505.00387, equation 3).

    y = t * f(x) + (1 - t) * x with t = s(W x + b) at each step. b starts at -2, so that most of the input passes at first.
    """

    def __init__(self, inner: Recurrent) -> None:
        check_equal_widths("a highway connection", inner)
        super().__init__(inner)
        self.transform = Linear(inner.input_size, inner.output_size)
        nn.init.constant_(self.transform.bias, -2.0)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        outputs, state = self.inner(inputs, lengths, state)
        return inputs + self.transform(inputs).sigmoid() * (outputs - inputs), state


def check_equal_widths(what: str, network: Recurrent) -> None:
    """Refuse a ``network`` whose input cannot be added to its output."""
    if network.input_size != network.output_size:
        raise ValueError(f"{what} needs equal widths; the network reads {network.input_size} and makes {network.output_size}")


class PreNorm(Wrapper):
    """A network that reads its input normalised, step by step (LayerNorm: Ba, Kiros and Hinton 2016, arXiv:1607.06450)."""

    def __init__(self, inner: Recurrent) -> None:
        super().__init__(inner)
        self.norm = nn.LayerNorm(inner.input_size)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        return self.inner(self.norm(inputs), lengths, state)


class Deep(Recurrent):
    """Networks on top of each other, each reading the outputs of the one below, with dropout between them."""

    def __init__(self, layers: Iterable[Recurrent], *, dropout: float = 0.0, locked: bool = False) -> None:
        super().__init__()
        stack = list(layers)
        if not stack:
            raise ValueError("a deep network needs at least one layer")
        self.layers = nn.ModuleList(stack)
        self.dropout = make_dropout(dropout, locked=locked)
        self.input_size, self.output_size = stack[0].input_size, stack[-1].output_size
        self.bidirectional = any(layer.bidirectional for layer in stack)

    def start(self, inputs: Tensor) -> State:
        return tuple(cast(Recurrent, layer).start(inputs) for layer in self.layers)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        after = []
        for depth, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            inputs, layer_state = layer(inputs if depth == 0 else self.dropout(inputs), lengths, before)
            after.append(layer_state)
        return inputs, tuple(after)
