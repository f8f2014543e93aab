"""What is asked of the networks within a module: which there are, their gates, a reading step by step."""

from torch import nn

from .architecture import Architecture
from .contract import Recurrent
from .diagonal_cells import DiagonalCell
from .fused import fused_layers
from .stepwise import Cell, Unrolled


def outer_networks(module: nn.Module) -> list[Recurrent]:
    """The networks of ``module`` that are no parts of others."""
    found = [part for part in module.modules() if isinstance(part, Recurrent)]
    inner = {part for network in found for part in network.modules() if part is not network}
    return [network for network in found if network not in inner]


def gates_of(network: Recurrent) -> tuple[str, ...]:
    """The gates of the cell that ``network`` is made of, in the order of their blocks.

    None for another network, and for cells that scan and have no recurrent weight: not every sigmoid of theirs is a gate.
    """
    made_of = next((part for part in network.modules() if isinstance(part, Architecture)), None)
    if made_of is None or (isinstance(made_of, Cell) and made_of.scans and not made_of.has_recurrent_weight):
        return ()
    return tuple(made_of.gates)


def newton_iterations(module: nn.Module) -> int:
    """The most iterations of Newton's method that a cell within ``module`` has needed for a sequence; 0 where none uses it."""
    return max((part.most_iterations for part in module.modules() if isinstance(part, DiagonalCell)), default=0)


def make_stepwise(module: nn.Module) -> None:
    """Have the networks of ``module`` compute a step in Python wherever they read a single one, by copies of their weights."""
    for layer in fused_layers(module):
        layer.join_weights()
    for part in module.modules():
        if isinstance(part, Unrolled):
            part.at_once = False
