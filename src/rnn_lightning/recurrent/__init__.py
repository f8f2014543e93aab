"""Sequence in, sequence and state out."""

from .architecture import Architecture, Layout
from .blocks import Convolution, WithMLP
from .contract import Recurrent
from .diagonal_cells import DiagonalCell, DiagonalGRU, DiagonalLSTM, IndRNN
from .exponential_cells import MLSTM, SLSTM
from .fused import fused_layers
from .fused_cells import GRU, LSTM, Elman, ElmanReLU
from .gated_cells import JANET, CoupledLSTM, LayerNormGRU, LiGRU, MinimalGatedUnit
from .inspection import gates_of, make_stepwise, newton_iterations, outer_networks
from .keywords import is_network, output_size_of, with_defaults
from .lstm_cells import LSTMP, LayerNormLSTM, PeepholeLSTM
from .network import (
    CELLS,
    NetworkOptions,
    architecture_of,
    as_network,
    build_network,
    choose_backend,
)
from .newton import NotConverged
from .own import OWN_NETWORKS
from .scan_cells import LRU, QRNN, QRNN1, SRU, MinGRU, MinLSTM, ScanCell
from .stepwise import Cell, Unrolled
from .weight_drop import WeightDrop, layers_of_fixed_weights, recurrent_weights
from .wrappers import Bidirectional, Deep, Highway, PreNorm, Residual

recurrent = build_network
"""The former name of ``build_network``, for one release."""

__all__ = [
    "CELLS",
    "GRU",
    "JANET",
    "LRU",
    "LSTM",
    "LSTMP",
    "MLSTM",
    "OWN_NETWORKS",
    "QRNN",
    "QRNN1",
    "SLSTM",
    "SRU",
    "Architecture",
    "Bidirectional",
    "Cell",
    "Convolution",
    "CoupledLSTM",
    "Deep",
    "DiagonalCell",
    "DiagonalGRU",
    "DiagonalLSTM",
    "Elman",
    "ElmanReLU",
    "Highway",
    "IndRNN",
    "LayerNormGRU",
    "LayerNormLSTM",
    "Layout",
    "LiGRU",
    "MinGRU",
    "MinLSTM",
    "MinimalGatedUnit",
    "NetworkOptions",
    "NotConverged",
    "PeepholeLSTM",
    "PreNorm",
    "Recurrent",
    "Residual",
    "ScanCell",
    "Unrolled",
    "WeightDrop",
    "WithMLP",
    "architecture_of",
    "as_network",
    "build_network",
    "choose_backend",
    "fused_layers",
    "gates_of",
    "is_network",
    "layers_of_fixed_weights",
    "make_stepwise",
    "newton_iterations",
    "outer_networks",
    "output_size_of",
    "recurrent",
    "recurrent_weights",
    "with_defaults",
]
