"""What a network costs, and the hidden size that spends a budget: comparisons are fair at equal cost.

Shapes: B rows, F features, H hidden units.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from .recurrent import Recurrent, recurrent
from .sequences import State

Built = TypeVar("Built", bound=nn.Module)


class Cost(NamedTuple):
    """What a network takes: its parameters, the FLOPs of a step of a row, and the bytes of a row's state."""

    parameters: int
    flops_per_step: int
    state_bytes: int


def count_parameters(module: nn.Module) -> int:
    """The numbers that ``module`` learns; a tied weight counts once."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def flops_per_step(module: nn.Module) -> int:
    """The FLOPs of the matrix products of one step of one row, forwards: two for each weight that is multiplied.

    Every parameter of two dimensions or more counts, in each module that owns it, as a product with the step's vector: a
    tied weight where it is multiplied, an embedding nowhere, since a look-up multiplies nothing. Products without a
    parameter (the scores of an attention) are left out, as are the element by element operations.
    """
    products = 0
    for _, part in module.named_modules(remove_duplicate=False):
        if not isinstance(part, nn.Embedding | nn.EmbeddingBag):
            products += sum(weight.numel() for weight in part.parameters(recurse=False) if weight.dim() >= 2)
    return 2 * products


def cost_of(network: Recurrent) -> Cost:
    """What ``network`` takes."""
    weight = next(network.parameters())
    state = network.start(weight.new_empty(1, 1, network.input_size))
    return Cost(count_parameters(network), flops_per_step(network), count_bytes(state))


def count_bytes(state: State) -> int:
    """The bytes of all tensors of ``state``."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    return sum(count_bytes(part) for part in state)


def hidden_size_for(
    cell: str,
    *,
    input_size: int | None = None,
    parameters: int | None = None,
    flops: int | None = None,
    build: Callable[[int], nn.Module] | None = None,
    **network: Any,
) -> int:
    """The hidden size whose cost is nearest to a budget; of two as near, the smaller.

    Args:
        cell: one of ``CELLS``.
        input_size, network: what else ``recurrent`` is told.
        parameters, flops: the budget, as ``count_parameters`` or as ``flops_per_step`` counts.
        build: makes all that is to be counted from a hidden size, in place of the bare network: a system with its
            embedding and its output layer. Its cost must grow with the hidden size.

    Raises:
        ValueError: unless exactly one budget is given, and either ``build`` or the network's description; where hidden
            size 1 is over the budget already, or the cost does not grow.
    """
    if parameters is not None and flops is None:
        unit, budget, count = "parameters", parameters, count_parameters
    elif flops is not None and parameters is None:
        unit, budget, count = "FLOPs a step", flops, flops_per_step
    else:
        raise ValueError(f"give one budget, parameters or flops, not {'neither' if flops is None else 'both'}")
    if (build is None) == (input_size is None) or (build is not None and network):
        raise ValueError("describe the network by input_size and recurrent's keywords, or by build, and not by both")
    module_of = build or partial(recurrent, cell, input_size, **network)

    @cache
    def cost(hidden_size: int) -> int:
        return count(build_weightless(module_of, hidden_size))

    if cost(1) > budget:
        raise ValueError(f"{cell} takes {cost(1):,} {unit} at hidden size 1, over the budget of {budget:,}")
    below = largest_within(cost, budget)
    return below if budget - cost(below) <= cost(below + 1) - budget else below + 1


def largest_within(cost: Callable[[int], int], budget: int) -> int:
    """The largest whole number of at least 1 whose ``cost``, which must grow with it, is within ``budget``."""
    above = 2
    while cost(above) <= budget:
        if cost(above) <= cost(above // 2):
            raise ValueError(f"the cost must grow with the hidden size; it is {cost(above):,} at {above // 2} and at {above}")
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if cost(middle) <= budget else (below, middle)
    return below


def build_weightless(build: Callable[[int], Built], hidden_size: int) -> Built:
    """What ``build`` makes, without memory for its weights, unless it needs to look at them while it draws them."""
    try:
        with torch.device("meta"):
            return build(hidden_size)
    except RuntimeError:  # PyTorch's word for a tensor without contents that is asked for them
        with torch.random.fork_rng(devices=[]):
            return build(hidden_size)


def costs_at(
    cells: Iterable[str], *, input_size: int, parameters: int | None = None, flops: int | None = None, **network: Any
) -> dict[str, tuple[int, Cost]]:
    """For each cell the hidden size that spends the budget, and what a network of that size takes.

    Raises:
        ValueError: as ``hidden_size_for``.
    """
    table = {}
    for cell in cells:
        size = hidden_size_for(cell, input_size=input_size, parameters=parameters, flops=flops, **network)
        network_of_size = build_weightless(partial(recurrent, cell, input_size, **network), size)
        table[cell] = size, cost_of(network_of_size)
    return table
