"""The table of architectures, and the one call that builds a network of any of them."""

from typing import TypedDict

from ..registry import choose
from ..regularize import check_probability
from .architecture import Architecture, Layout
from .contract import Recurrent
from .fused import GRU, LSTM, Elman, ElmanReLU
from .initialisation import Init
from .stepwise import Feedforward, LayerNormLSTM, PeepholeLSTM
from .weight_drop import WeightDrop

CELLS: dict[str, type[Architecture]] = {
    "elman": Elman,
    "elman_relu": ElmanReLU,
    "lstm": LSTM,
    "gru": GRU,
    "layernorm_lstm": LayerNormLSTM,
    "peephole_lstm": PeepholeLSTM,
    "feedforward": Feedforward,
}


class NetworkOptions(TypedDict, total=False):
    """The keywords of ``build_network`` that have a default."""

    num_layers: int
    bidirectional: bool
    residual: bool
    dropout: float
    locked: bool
    weight_drop: float
    init: Init
    forget_bias: float | None


def build_network(
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
    init: Init = "orthogonal",
    forget_bias: float | None = 1.0,
) -> Recurrent:
    """Build a recurrent network.

    Args:
        cell: one of ``CELLS``.
        hidden_size: hidden units of a layer and direction.
        residual: add each layer's input to its output, from the second layer on.
        dropout: between the layers; with ``locked`` one mask for all steps of a row and call. A decoder that reads its own
            output makes a call for each step, and so draws a mask for each.
        weight_drop: of the weights from state to state, one mask a call (``WeightDrop``).
        init: ``orthogonal`` (recurrent blocks orthogonal, input blocks Glorot, biases zero), ``uniform`` (PyTorch's own
            U(-1/sqrt(H), 1/sqrt(H))) or ``{"uniform": r}`` (weights and biases from U(-r, r)).
        forget_bias: where the forget gate's bias starts (Jozefowicz et al. 2015 advise 1); ``None`` leaves it to ``init``.
            Cells without a forget gate have none to set.

    Raises:
        ValueError: for an unknown cell or initialisation, or a number outside its range.
    """
    architecture = choose("cell", CELLS, cell)
    for name, number in {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}.items():
        if type(number) is not int or number < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {number!r}")
    check_probability("dropout", dropout)
    layout = Layout(hidden_size, num_layers, bidirectional, residual, dropout, locked, init, forget_bias)
    network = architecture.stack(input_size, layout)
    return WeightDrop(network, weight_drop) if weight_drop else network
