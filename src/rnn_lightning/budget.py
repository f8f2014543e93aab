"""What a network costs, and the hidden size that spends a budget: comparisons are fair at equal cost.

Shapes: B rows, F features, H hidden units.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, Unpack, cast

import torch
from torch import nn

from .checks import check_counts, shown
from .recurrent import NetworkOptions, Recurrent, build_network
from .sequences import State, leaves

Built = TypeVar("Built", bound=nn.Module)


class Cost(NamedTuple):
    """The cost of a network: its parameters, the FLOPs of a step of a row, and the bytes of a row's state."""

    parameters: int
    flops_per_step: int
    state_bytes: int


def count_parameters(module: nn.Module) -> int:
    """The number of trainable parameters of ``module``; a tied weight counts once."""
    check_module(module)
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def flops_per_step(module: nn.Module) -> int:
    """The FLOPs of the matrix products of one step of one row, forwards: two for each weight that is multiplied.

    Every parameter of two dimensions or more counts, in each module that owns it, as a product with the step's vector: a
    tied weight where it is multiplied, an embedding nowhere, since a look-up multiplies nothing; that of a module with
    ``uses_per_step`` (a convolution over a picture) so many times. Products without a parameter (the scores of an attention)
    are left out, as are the element by element operations. After subsampling a step is one that is left.
    """
    check_module(module)
    products = 0
    for _, part in module.named_modules(remove_duplicate=False):
        if not isinstance(part, nn.Embedding | nn.EmbeddingBag):
            weights = sum(weight.numel() for weight in part.parameters(recurse=False) if weight.dim() >= 2)
            products += weights * getattr(part, "uses_per_step", 1)
    return 2 * products


def check_module(module: nn.Module) -> None:
    """Refuse what is no module of PyTorch."""
    if not isinstance(module, nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, not {shown(module)}")


def cost_of(network: Recurrent) -> Cost:
    """The `Cost` of ``network``."""
    weight = next(network.parameters())
    state = network.start(weight.new_empty(1, 1, network.input_size))
    return Cost(count_parameters(network), flops_per_step(network), count_bytes(state))


def count_bytes(state: State) -> int:
    """The bytes of all tensors of ``state``."""
    return sum(leaf.numel() * leaf.element_size() for leaf in leaves(state))


def hidden_size_for(
    cell: str,
    *,
    input_size: int | None = None,
    parameters: int | None = None,
    flops: int | None = None,
    build: Callable[[int], nn.Module] | None = None,
    multiple: int = 1,
    **network: Unpack[NetworkOptions],
) -> int:
    """The hidden size whose cost is nearest to a budget; of two as near, the smaller.

    Args:
        cell: one of ``CELLS``.
        input_size, network: the other arguments of ``build_network``.
        parameters, flops: the budget, as ``count_parameters`` or as ``flops_per_step`` counts.
        build: makes all that is to be counted from a hidden size, in place of the bare network: a system with its
            embedding and its output layer. Its cost must grow with the hidden size.
        multiple: only multiples of it are hidden sizes; those of the heads always are.

    Raises:
        ValueError: unless exactly one budget is given, and either ``build`` or the network's description; where the
            smallest hidden size is over the budget already, or the cost does not grow.
    """
    step = multiple * network.get("heads", 1)
    budget = check_budget(parameters, flops, multiple)
    unit, count = ("FLOPs a step", flops_per_step) if parameters is None else ("parameters", count_parameters)
    check_described(build, input_size, network)
    module_of = build or partial(build_network, cell, cast(int, input_size), **network)

    @cache
    def cost(times: int) -> int:
        return count(build_weightless(module_of, times * step))

    if cost(1) > budget:
        raise ValueError(f"{cell} takes {cost(1):,} {unit} at hidden size {step}, over the budget of {budget:,}")
    below = largest_within(cost, budget)
    return step * (below if budget - cost(below) <= cost(below + 1) - budget else below + 1)


def check_described(build: Any, input_size: int | None, network: Any) -> None:
    """Refuse a network that is described by nothing, or twice."""
    if build is not None and not callable(build):
        raise ValueError(f"build must be a function of the hidden size, or None, not {shown(build)}")
    if (build is None) == (input_size is None) or (build is not None and network):
        raise ValueError("describe the network by input_size and build_network's keywords, or by build, and not by both")


def check_budget(parameters: int | None, flops: int | None, multiple: int) -> int:
    """The one budget of the two that is given."""
    check_counts(multiple=multiple)
    if (parameters is None) == (flops is None):
        raise ValueError(f"give one budget, parameters or flops, not {'neither' if flops is None else 'both'}")
    budget: dict[str, Any] = {"flops": flops} if parameters is None else {"parameters": parameters}
    check_counts(most=2**63 - 1, **budget)
    return sum(budget.values())


def largest_within(cost: Callable[[int], int], budget: int) -> int:
    """The largest whole number of at least 1 whose ``cost``, which must grow with it, is within ``budget``.

    The cost of a network is a polynomial of degree 2 in its hidden size, since both sides of a weight are at most
    proportional to it: three costs tell it. Its solution is taken if the costs there confirm it, else one is searched for.
    """
    solution = bisect(polynomial_through(cost), budget) if cost(1) < cost(2) else 1
    return solution if cost(solution) <= budget < cost(solution + 1) else bisect(cost, budget)


def polynomial_through(cost: Callable[[int], int]) -> Callable[[int], int]:
    """The polynomial of degree 2 that equals ``cost`` at 1, 2 and 3, by Newton's forward differences.

    A negative second difference counts as zero, so that the polynomial grows wherever ``cost`` grows from 1 to 2.
    """
    first, second = cost(2) - cost(1), max(cost(3) - 2 * cost(2) + cost(1), 0)
    return lambda size: cost(1) + first * (size - 1) + second * (size - 1) * (size - 2) // 2


def bisect(cost: Callable[[int], int], budget: int) -> int:
    """The largest whole number of at least 1 whose ``cost``, which must grow with it, is within ``budget``: by bisection.

    Raises:
        ValueError: where the cost does not grow.
    """
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
    """Call ``build`` on PyTorch's meta device, where weights take no memory, unless it looks at them while it draws them."""
    try:
        with torch.device("meta"):
            return build(hidden_size)
    except RuntimeError:  # a tensor without contents was asked for them
        with torch.random.fork_rng(devices=[]):
            return build(hidden_size)


def costs_at(
    cells: Iterable[str],
    *,
    input_size: int,
    parameters: int | None = None,
    flops: int | None = None,
    **network: Unpack[NetworkOptions],
) -> dict[str, tuple[int, Cost]]:
    """For each cell the hidden size that spends the budget, and the `Cost` of a network of that size.

    Raises:
        ValueError: as ``hidden_size_for``.
    """
    table = {}
    for cell in cells:
        size = hidden_size_for(cell, input_size=input_size, parameters=parameters, flops=flops, **network)
        network_of_size = build_weightless(partial(build_network, cell, input_size, **network), size)
        table[cell] = size, cost_of(network_of_size)
    return table
