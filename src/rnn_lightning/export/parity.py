"""Whether an exported graph answers as its model does: on several batches, with padding, and in two goes."""

import copy

import torch
from torch import Tensor

from ..laws import gap_between
from .formats import Run
from .graphs import Exportable

PARITY = 1e-5
"""The largest difference between a graph and its model that is rounding, as a share of the largest number, 1 at least."""


class ParityError(ValueError):
    """A graph that does not answer as its model does."""


@torch.no_grad()
def check_parity(run: Run, graph: Exportable, name: str) -> float:
    """The largest difference between ``run``, which was read from a file, and the module ``graph``, in all the cases of that.

    Raises:
        ParityError: where it is above `PARITY` and twice the `rounding` of the module itself, as of two computations that both
            round, or the graph cannot be run; ``name`` is what it is called.
    """
    worst = 0.0
    for case in graph.cases():
        expected = graph(*case)
        shape = tuple(case[0].shape)
        try:
            found = run(*case)
        except Exception as error:  # every runtime has errors of its own
            raise ParityError(f"the graph {name} fails for a batch of shape {shape}: {first_line(error)}") from None
        gap = difference(found, expected)
        if not gap <= PARITY and not gap <= 2 * rounding(graph, case, expected):
            answers = f"its answers for a batch of shape {shape} differ by {gap:.1e}"
            raise ParityError(f"the graph {name} is not that of the network, {answers}, and {PARITY:.0e} is rounding")
        worst = max(worst, gap)
    return worst


def rounding(graph: Exportable, case: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    """How far what ``graph`` has answered to a ``case`` is from its answers in double precision.

    A layer normalisation of few units that hardly differ makes much of little.
    """
    double = (part.double() if part.is_floating_point() else part for part in case)
    return difference(expected, copy.deepcopy(graph).double()(*double))


def difference(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    """The largest difference of two tensors, as a share of the largest number of the second, but of 1 at least."""
    if len(found) != len(expected):
        return float("inf")
    pairs = zip(found, expected, strict=True)
    return max((gap_between(one.float(), other.float()) / magnitude(other) for one, other in pairs), default=0.0)


def magnitude(tensor: Tensor) -> float:
    """The largest finite number of ``tensor``, but 1 at least."""
    return max(1.0, tensor.float().abs().nan_to_num(0, 0, 0).max().item()) if tensor.numel() else 1.0


def first_line(error: BaseException) -> str:
    """The first line of what an ``error`` says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
