"""What is asked of the networks within a module: which there are, their gates, a reading step by step."""

from torch import nn

from .architecture import Architecture
from .contract import Recurrent
from .fused import fused_layers
from .stepwise import Unrolled


def outer_networks(module: nn.Module) -> list[Recurrent]:
    """The networks of ``module`` that are no parts of others."""
    found = [part for part in module.modules() if isinstance(part, Recurrent)]
    inner = {part for network in found for part in network.modules() if part is not network}
    return [network for network in found if network not in inner]


def gates_of(network: Recurrent) -> tuple[str, ...]:
    """The gates of the cell that ``network`` is made of, in the order of their blocks; none for another network."""
    return next((tuple(part.gates) for part in network.modules() if isinstance(part, Architecture)), ())


def make_stepwise(module: nn.Module) -> None:
    """Have the networks of ``module`` compute a step in Python wherever they read a single one, by copies of their weights."""
    for layer in fused_layers(module):
        layer.join_weights()
    for part in module.modules():
        if isinstance(part, Unrolled):
            part.at_once = False
