"""Weight drop: dropout of the recurrent weights in training.

Shapes: B rows, T steps, F features in, H features out.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..checks import check_probability
from ..sequences import State
from .contract import Recurrent
from .fused import Fused, fused_layers
from .initialisation import RECURRENT_WEIGHT


class WeightDrop(Recurrent):
    """DropConnect on the recurrent weights in training (weight drop: Merity et al. 2018, arXiv:1708.02182, section 2).

    Single weights from one step's state to the next are set to zero; the mask is drawn anew for every call and is one for
    all its rows and steps. The parameters stay whole, so that checkpoints, copies and evaluation are without a mask.
    A network that keeps no state has nothing to drop.
    """

    def __init__(self, inner: Recurrent, probability: float) -> None:
        super().__init__()
        check_probability("weight_drop", probability)
        self.inner, self.probability = inner, probability
        self.input_size, self.output_size = inner.input_size, inner.output_size
        self.bidirectional = inner.bidirectional

    def start(self, inputs: Tensor) -> State:
        return self.inner.start(inputs)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        if not self.training:
            return self.inner(inputs, lengths, state)
        weights = {name: F.dropout(weight, self.probability) for name, weight in recurrent_weights(self.inner)}
        with unflattened(self.inner):
            return functional_call(self.inner, weights, (inputs, lengths, state))


def recurrent_weights(network: Recurrent) -> list[tuple[str, nn.Parameter]]:
    """The weights of ``network`` that multiply a state, with their names; none in a network without memory."""
    named = network.named_parameters()
    return [(name, weight) for name, weight in named if name.rpartition(".")[2].startswith(RECURRENT_WEIGHT)]


def layers_of_fixed_weights(network: nn.Module) -> list[Fused]:
    """The layers of ``network`` that PyTorch's kernels compute, but those whose weights a `WeightDrop` changes."""
    dropped = {layer for part in network.modules() if isinstance(part, WeightDrop) for layer in fused_layers(part)}
    return [layer for layer in fused_layers(network) if layer not in dropped]


@contextmanager
def unflattened(network: nn.Module) -> Iterator[None]:
    """Keep the layers of ``torch.nn`` from flattening the weights of the call into one block of memory for cuDNN.

    It would move them in place, the parameters too, which the graph of an earlier call may still need.
    """
    layers = [vars(part) for part in network.modules() if isinstance(part, nn.RNNBase)]
    for layer in layers:
        layer["flatten_parameters"] = lambda: None
    try:
        yield
    finally:
        for layer in layers:
            del layer["flatten_parameters"]
