"""Networks made of networks, and the one call that builds any of them.

Shapes: B rows, T steps, F features in, H features out.
"""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..regularize import check_probability
from ..regularize import dropout as make_dropout
from ..sequences import State, reverse
from .contract import Recurrent
from .fused import GRU, LSTM, Elman, ElmanReLU, Fused
from .stepwise import Cell, Feedforward, LayerNormLSTM, PeepholeLSTM, Unrolled
from .weight_drop import WeightDrop


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


class Residual(Recurrent):
    """A network whose input is added to its output (He et al. 2016; in stacks of LSTMs Wu et al. 2016, arXiv:1609.08144)."""

    def __init__(self, inner: Recurrent) -> None:
        super().__init__()
        if inner.input_size != inner.output_size:
            raise ValueError(
                f"a residual connection needs equal widths; the network reads {inner.input_size} and makes {inner.output_size}"
            )
        self.inner = inner
        self.input_size, self.output_size = inner.input_size, inner.output_size
        self.bidirectional = inner.bidirectional

    def start(self, inputs: Tensor) -> State:
        return self.inner.start(inputs)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        outputs, state = self.inner(inputs, lengths, state)
        return inputs + outputs, state


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


CELLS: dict[str, type[Fused] | type[Cell]] = {
    "elman": Elman,
    "elman_relu": ElmanReLU,
    "lstm": LSTM,
    "gru": GRU,
    "layernorm_lstm": LayerNormLSTM,
    "peephole_lstm": PeepholeLSTM,
    "feedforward": Feedforward,
}


def recurrent(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    bidirectional: bool = False,
    residual: bool = False,
    dropout: float = 0.0,
    locked: bool = False,
    weight_drop: float = 0.0,
    init: str = "orthogonal",
    forget_bias: float | None = 1.0,
) -> Recurrent:
    """Build a recurrent network.

    Args:
        cell: one of ``CELLS``.
        hidden_size: hidden units of a layer and direction.
        residual: add each layer's input to its output, from the second layer on, where the widths agree.
        dropout: between the layers; with ``locked`` one mask for all steps of a row and call, so that a decoder that is fed
            what it said, a call for each step, draws one for each step.
        weight_drop: of the weights from state to state, one mask a call (``WeightDrop``).
        init: ``orthogonal`` (recurrent blocks orthogonal, input blocks Glorot, biases zero) or ``uniform`` (PyTorch's own).
        forget_bias: where the forget gate's bias starts (Jozefowicz et al. 2015 advise 1); ``None`` leaves it to ``init``.
            Cells without a forget gate have none to set.

    Raises:
        ValueError: for an unknown cell or initialisation, or a number outside its range.
    """
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {sorted(CELLS)}, not {cell!r}")
    for name, number in {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {number!r}")
    build = CELLS[cell]
    start = {"init": init, "forget_bias": forget_bias}

    def layer(width: int) -> Recurrent:
        if issubclass(build, Fused):
            return build(width, hidden_size, bidirectional=bidirectional, **start)
        directions = [Unrolled(build(width, hidden_size, **start)) for _ in range(2 if bidirectional else 1)]
        return Bidirectional(*directions) if bidirectional else directions[0]

    if issubclass(build, Fused) and not residual and (dropout == 0 or num_layers == 1):
        check_probability("dropout", dropout)
        network = build(input_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional, **start)
    else:
        width = hidden_size * (2 if bidirectional else 1)
        upper = [layer(width) for _ in range(num_layers - 1)]
        layers = [layer(input_size), *(Residual(each) if residual else each for each in upper)]
        network = Deep(layers, dropout=dropout, locked=locked)
    return WeightDrop(network, weight_drop) if weight_drop else network


def is_network(rnn: object) -> bool:
    """Whether ``rnn`` is a network already, and not the keywords of one."""
    return isinstance(rnn, Recurrent)


def with_defaults(rnn: Any, defaults: dict[str, Any]) -> Any:
    """The keywords ``rnn``, with those of ``defaults`` that it does not set; what is no keywords, as it is."""
    return {**defaults, **(rnn or {})} if rnn is None or isinstance(rnn, dict) else rnn


def output_size_of(rnn: dict[str, Any] | Recurrent) -> int:
    """The features that the network ``rnn``, or one of these keywords, makes; 0 where they do not say."""
    if isinstance(rnn, Recurrent):
        return rnn.output_size
    return rnn.get("hidden_size", 0) * (2 if rnn.get("bidirectional") else 1)


def as_network(rnn: dict[str, Any] | Recurrent | None, input_size: int, name: str = "rnn") -> Recurrent:
    """The network that ``rnn`` is, or that `recurrent` builds of these keywords to read ``input_size`` features.

    Raises:
        ValueError: for a network that reads another width, or what is neither; as `recurrent`. ``name`` is what it is called.
    """
    if isinstance(rnn, dict):
        return recurrent(**{"input_size": input_size, **rnn})
    if not isinstance(rnn, Recurrent):
        raise ValueError(
            f"{name} must be a dict of keywords of recurrent, or a Recurrent, not {rnn!r}; a model that was built around a "
            f"Recurrent needs it again when it is loaded: load_from_checkpoint(path, {name}=network)"
        )
    if rnn.input_size != input_size:
        raise ValueError(f"{name} must read {input_size} features, the width of its inputs here, not {rnn.input_size}")
    return rnn
