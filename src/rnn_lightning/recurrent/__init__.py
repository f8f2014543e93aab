"""Sequence in, sequence and state out."""

from .contract import Recurrent
from .fused import GRU, LSTM, Elman, ElmanReLU
from .network import CELLS, Bidirectional, Deep, Residual, as_network, is_network, output_size_of, recurrent, with_defaults
from .stepwise import Cell, LayerNormLSTM, PeepholeLSTM, Unrolled
from .weight_drop import WeightDrop

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "Bidirectional",
    "Cell",
    "Deep",
    "Elman",
    "ElmanReLU",
    "LayerNormLSTM",
    "PeepholeLSTM",
    "Recurrent",
    "Residual",
    "Unrolled",
    "WeightDrop",
    "as_network",
    "is_network",
    "output_size_of",
    "recurrent",
    "with_defaults",
]
