"""The table of architectures, and the one call that builds a network of any of them."""

from typing import Any, TypedDict

from torch import nn

from ..checks import check_choice, check_counts, check_flags, check_probability, shown
from ..kernels import AUTO, check_backend
from ..registry import call
from ..sequences import check_memory
from .architecture import MASKS, OF_SOME_CELLS, SOLVERS, Architecture, Layout, check_block
from .contract import Recurrent
from .diagonal_cells import DiagonalGRU, DiagonalLSTM, IndRNN
from .exponential_cells import MLSTM, SLSTM
from .feedforward import Feedforward
from .fused_cells import GRU, LSTM, Elman, ElmanReLU
from .gated_cells import JANET, CoupledLSTM, LayerNormGRU, LiGRU, MinimalGatedUnit
from .given import check_given, is_own
from .initial_state import INITIAL_STATES
from .initialisation import ForgetBias, Init
from .lstm_cells import LSTMP, LayerNormLSTM, PeepholeLSTM
from .own import check_complete, own_architecture
from .scan_cells import LRU, QRNN, QRNN1, SRU, MinGRU, MinLSTM
from .stepwise import Cell
from .weight_drop import WeightDrop

CELLS: dict[str, type[Architecture]] = {
    "elman": Elman,
    "elman_relu": ElmanReLU,
    "lstm": LSTM,
    "gru": GRU,
    "layernorm_lstm": LayerNormLSTM,
    "peephole_lstm": PeepholeLSTM,
    "lstmp": LSTMP,
    "coupled_lstm": CoupledLSTM,
    "layernorm_gru": LayerNormGRU,
    "ligru": LiGRU,
    "mgu": MinimalGatedUnit,
    "janet": JANET,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "sru": SRU,
    "qrnn": QRNN,
    "qrnn1": QRNN1,
    "lru": LRU,
    "indrnn": IndRNN,
    "diagonal_gru": DiagonalGRU,
    "diagonal_lstm": DiagonalLSTM,
    "slstm": SLSTM,
    "mlstm": MLSTM,
    "feedforward": Feedforward,
}

MOST_LAYERS = 1_000
"""More are a mistake, and would take minutes to build."""


class NetworkOptions(TypedDict, total=False):
    """The keywords of ``build_network`` that have a default."""

    num_layers: int
    bidirectional: bool
    residual: bool
    dropout: float
    locked: bool
    weight_drop: float
    init: Init
    forget_bias: ForgetBias
    heads: int
    expansion: int
    solver: str
    block: str
    convolution: int
    mlp: int
    initial_state: str
    zoneout: float
    zoneout_cell: float
    recurrent_dropout: float
    backend: str


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
    forget_bias: ForgetBias = 1.0,
    heads: int = 1,
    expansion: int = 1,
    solver: str = "steps",
    block: str = "plain",
    convolution: int = 0,
    mlp: int = 0,
    initial_state: str = "zeros",
    zoneout: float = 0.0,
    zoneout_cell: float = 0.0,
    recurrent_dropout: float = 0.0,
    backend: str = "auto",
) -> Recurrent:
    """Build a recurrent network.

    Args:
        cell: one of ``CELLS``, or the path of a class of `Recurrent` or `Cell` in a package that `OWN_NETWORKS` names.
        hidden_size: hidden units of a layer and direction.
        residual: add each layer's input to its output, from the second layer on.
        dropout: between the layers; with ``locked`` one mask for all steps of a row and call. A decoder that reads its own
            output makes a call for each step, and so draws a mask for each.
        weight_drop: of the weights from state to state, one mask a call (``WeightDrop``).
        init: ``orthogonal`` (recurrent blocks orthogonal, input blocks Glorot, biases zero), ``uniform`` (PyTorch's own
            U(-1/sqrt(H), 1/sqrt(H))) or ``{"uniform": r}`` (weights and biases from U(-r, r)).
        forget_bias: where a forget gate's bias starts (Jozefowicz et al. 2015 advise 1); ``None`` leaves it to ``init``;
            ``{"chrono": T}`` has units that remember for 2 to T steps (Tallec and Ollivier 2018, arXiv:1804.11188).
        heads, expansion: heads that the units of a layer stand in (``slstm``, ``mlstm``); memory cells a unit (``lstmp``).
        solver: how ``diagonal_gru`` and ``diagonal_lstm`` find the states of a sequence: ``steps``, or ``newton`` for all steps
            at once, by iterations that must converge (``NotConverged``).
        block: for deep stacks, from the second layer on: ``residual`` x + layer(LayerNorm(x)); ``highway`` t * layer(x) +
            (1 - t) * x with a gate t = s(W x + b) (Srivastava et al. 2015).
        convolution, mlp: of residual blocks, in every layer, with a LayerNorm and a residual path each (Feng et al. 2024): so
            many steps of a causal depthwise convolution before the recurrence, and an MLP behind it with so many times as many
            hidden units as the layer has outputs; 0 for none.
        initial_state: ``zeros``, or ``learned``: the state of rows that begin is a parameter of each layer and direction.
        zoneout, zoneout_cell: with these probabilities a unit's hidden state and its memory cell stay what they were, drawn at
            each step (Krueger et al. 2017, arXiv:1606.01305); at evaluation both are the expectation.
        recurrent_dropout: of the candidates that a step writes, drawn at each step (Semeniuta et al. 2016, arXiv:1603.05118).
        backend: ``triton`` for kernels on a GPU; `choose_backend` says more.

    Raises:
        ValueError: for an unknown cell or initialisation, a number outside its range, or a backend that the cell lacks.
    """
    stacked = hidden_size, num_layers, bidirectional, residual, dropout, locked
    masks = zoneout, zoneout_cell, recurrent_dropout
    form = Layout(*stacked, init, forget_bias, heads, expansion, solver, block, convolution, mlp, initial_state, *masks)
    check_probability("weight_drop", weight_drop)
    network = checked(cell, input_size, form).stack(input_size, form)
    choose_backend(network, backend)
    return WeightDrop(network, weight_drop) if weight_drop else network


def architecture_of(cell: str) -> type[Architecture]:
    """The entry ``cell`` of ``CELLS``, or that of a class of a user's own, by its path.

    Raises:
        ValueError: where there is none.
    """
    if isinstance(cell, str) and "." in cell:
        return own_architecture(cell)
    check_choice("cell", cell, [*sorted(CELLS), "my_package.MyCell"])
    if is_own(CELLS[cell]):
        check_complete(cell, CELLS[cell])
    return CELLS[cell]


def choose_backend(module: nn.Module, backend: str) -> None:
    """Choose what computes all recurrent layers of ``module``.

    Args:
        backend: ``auto`` for the default form on their device, never a kernel of `rnn_lightning.kernels`; ``triton`` for these
            kernels; ``triton_recompute`` for them with the inputs to the gates computed again in the backward pass. Where
            kernels cannot compute, a layer that is asked to read raises a ValueError.

    Raises:
        ValueError: for another backend, or layers that have no kernel, or masks at each step.
    """
    check_backend(backend)
    layers = [part for part in module.modules() if isinstance(part, Architecture)]
    if backend != AUTO and any(isinstance(layer, Cell) and layer.draws_masks for layer in layers):
        raise ValueError(
            f"backend={backend!r} must be 'auto' with masks at each step, which no kernel draws: {', '.join(MASKS)}"
        )
    without = sorted({layer.label for layer in layers if layer.triton is None}) if layers else ["a network of your own"]
    if without and backend != AUTO:
        cells = ", ".join(name for name, cell in CELLS.items() if cell.triton)
        raise ValueError(
            f"backend={backend!r} must be 'auto' for layers without kernels ({', '.join(without)}): it is for {cells}"
        )
    for layer in layers:
        layer.chosen_backend = backend


def checked(cell: str, input_size: int, layout: Layout) -> type[Architecture]:
    """The architecture of a ``cell``.

    Raises:
        ValueError: for a cell that there is not, layers that it cannot have, or more than this machine's memory holds.
    """
    architecture = architecture_of(cell)
    size, layers = layout.hidden_size, layout.num_layers
    check_counts(input_size=input_size, hidden_size=size)
    check_counts(most=MOST_LAYERS, num_layers=layers)
    check_options(cell, architecture, layout)
    check_flags(bidirectional=layout.bidirectional, residual=layout.residual, locked=layout.locked)
    check_block(layout)
    check_choice("initial_state", layout.initial_state, INITIAL_STATES)
    check_probability("dropout", layout.dropout)
    check_memory(gates=len(architecture.gates), hidden_size=size * layout.expansion, features=input_size + size, layers=layers)
    return architecture


def check_options(cell: str, architecture: type[Architecture], layout: Layout) -> None:
    """Refuse options that the cell does not have, and heads that do not divide its units.

    Raises:
        ValueError: naming the cells that have them, or the nearest hidden sizes.
    """
    check_counts(heads=layout.heads, expansion=layout.expansion)
    check_choice("solver", layout.solver, SOLVERS)
    for name in MASKS:
        check_probability(name, getattr(layout, name))
    for name in OF_SOME_CELLS:
        value, default = getattr(layout, name), getattr(Layout, name)
        if value != default and name not in architecture.options:
            takers = ", ".join(sorted(other for other, each in CELLS.items() if name in each.options))
            raise ValueError(f"{name} must be {default!r} for the cell {cell!r}, not {value!r}: it is for {takers}")
    if layout.hidden_size % layout.heads:
        below = layout.hidden_size // layout.heads * layout.heads
        sizes = f"{below} or {below + layout.heads}" if below else str(layout.heads)
        raise ValueError(
            f"hidden_size must be a multiple of the {layout.heads} heads, such as {sizes}, not {layout.hidden_size}"
        )


def as_network(rnn: dict[str, Any] | Recurrent | None, input_size: int, name: str = "rnn") -> Recurrent:
    """The network that ``rnn`` is, or that `build_network` builds of these keywords to read ``input_size`` features.

    Raises:
        ValueError: for a network that breaks the contract or reads another width, or what is neither; as `build_network`.
            ``name`` is the argument that the message names.
    """
    if isinstance(rnn, dict):
        return call(name, build_network, {"input_size": input_size, **rnn})
    if not isinstance(rnn, Recurrent):
        raise ValueError(
            f"{name} must be a dict of keywords of build_network, or a Recurrent, not {shown(rnn)}; a model built "
            f"around a Recurrent needs it again when it is loaded: load_from_checkpoint(path, {name}=network)"
        )
    check_given(name, rnn)
    if rnn.input_size != input_size:
        raise ValueError(f"{name} must read {input_size} features, the width of its inputs here, not {rnn.input_size}")
    return rnn
