"""What a system remembers: gradients through time, saturated gates, singular values from state to state.

Shapes: B rows, T steps.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import check_choice, check_counts, check_number
from ..optimization import CLIPPED_BY, clipped_size
from ..recurrent import Recurrent, make_stepwise, outer_networks
from ..sequences import Batch, map_state
from ..systems import System
from .trace import Trace, jacobian

SHARE = 0.1
"""The share of the largest gradient at which the horizon ends, unless another is given."""
PLACES = 4
"""Rows, and steps of each, at which Jacobians are taken, unless another number is given."""


class Findings(NamedTuple):
    """What `examine` finds of a system.

    ``gradient_norms[k]`` is the norm of the gradient of the loss at a row's last step T with respect to the state after step
    T - k (k = 0: the output of step T), the mean over rows; ``gates`` the shares of activations below 0.1 and above 0.9 by
    gate; ``singular_values`` the largest of the Jacobian of the state with respect to the one before, means over rows and
    steps; ``clipped_share`` the share of batches whose gradient is over the bound, ``None`` without one.
    """

    gradient_norms: list[float]
    gates: dict[str, tuple[float, float]]
    singular_values: list[float]
    clipped_share: float | None

    def horizon(self, share: float = SHARE) -> int:
        """Steps back from T until the gradient falls below a ``share`` of its largest norm; T where it never does."""
        return horizon(self.gradient_norms, share)


def horizon(norms: Sequence[float], share: float = SHARE) -> int:
    """The first place behind the largest of ``norms`` that is below a ``share`` of it; how many there are, if none is.

    Raises:
        ValueError: for a share outside (0, 1).
    """
    check_number("share", share, above=0, below=1)
    largest = max(norms, default=0.0)
    first = norms.index(largest) if norms else 0
    return next((lag for lag in range(first, len(norms)) if norms[lag] < share * largest), len(norms))


def examine(
    system: System,
    batches: Iterable[Any],
    *,
    rows: int = 64,
    values: int = 5,
    places: int = PLACES,
    clip: float | None = None,
    clipped_by: str = "norm",
) -> Findings:
    """What ``system`` remembers on the first ``rows`` of ``batches``; it stays as it is.

    Args:
        values: singular values of the Jacobian, the largest.
        places: so many rows, and steps of each, at which Jacobians are taken: of a large state they are what takes time.
        clip, clipped_by: the bound of the gradient's ``norm``, or of the absolute ``value`` of each of its numbers.

    Raises:
        ValueError: for a system without a single network that reads from left to right, or no row.
    """
    check_counts(rows=rows, values=values, places=places)
    check_choice("clipped_by", clipped_by, CLIPPED_BY)
    with torch.inference_mode(False), torch.enable_grad():
        twin = _twin(system)
        network = network_of(twin)
        norms, traces, lengths = [], [], []
        for batch in _first(batches, rows):
            if clip is not None:
                lengths.append(gradient_size(twin, batch, clipped_by))
            trace = Trace(network)
            norms.append(trace.norms(twin, batch))
            traces.append(trace)
        if not norms:
            raise ValueError("there is no row to examine: give batches that have some")
        clipped = None if clip is None else sum(length > clip for length in lengths) / len(lengths)
        return Findings(_mean(norms), shares(traces), singular_values(network, traces[0], values, places), clipped)


def network_of(system: nn.Module) -> Recurrent:
    """The one network of a system that reads from left to right.

    Raises:
        ValueError: where there is none, or more than one.
    """
    found = outer_networks(system)
    if len(found) != 1 or not found[0].causal:
        kinds = ", ".join(f"{type(part).__name__}{'' if part.causal else ', not from left to right'}" for part in found)
        raise ValueError(
            f"a microscope looks at a system with one network that reads from left to right, not {kinds or 'none'}"
        )
    return found[0]


def _twin(system: System) -> System:
    """A copy of ``system`` that reads step by step, without its trainer."""
    twin = copy.deepcopy(system, {id(system._trainer): None}).eval()
    make_stepwise(twin)
    return twin


def _first(batches: Iterable[Any], rows: int) -> Iterator[Batch]:
    """The first ``rows`` rows of ``batches``, as tensors that gradients may go through."""
    for given in batches:
        batch = Batch.of(given)
        taken = batch._replace(**{name: part[:rows].clone() for name, part in batch._asdict().items() if part is not None})
        if len(taken.inputs):
            yield taken
        rows -= len(taken.inputs)
        if rows <= 0:
            return


def gradient_size(system: System, batch: Batch, clipped_by: str) -> float:
    """The size of the gradient of the loss on ``batch`` with respect to all weights, as `clipped_size` has it."""
    loss, _ = system.loss_on(batch, "test")
    weights = [weight for weight in system.parameters() if weight.requires_grad]
    found = [part for part in torch.autograd.grad(loss, weights, allow_unused=True) if part is not None]
    return float(clipped_size(found, clipped_by))


def _mean(norms: Sequence[Tensor]) -> list[float]:
    """The means over all rows, by the steps back."""
    longest = max(part.shape[1] for part in norms)
    padded = [nn.functional.pad(part, (0, longest - part.shape[1]), value=torch.nan) for part in norms]
    means = torch.cat(padded).nanmean(0)
    return means[~means.isnan()].tolist()


def shares(traces: Sequence[Trace]) -> dict[str, tuple[float, float]]:
    """The shares of each gate's activations below `LOW` and above `HIGH`."""
    names = dict.fromkeys(name for trace in traces for name in trace.gates)
    sums = {name: [sum(of) for of in zip(*(trace.gates[name] for trace in traces), strict=True)] for name in names}
    return {name: (low / count, high / count) for name, (low, high, count) in sums.items() if count}


def singular_values(network: Recurrent, trace: Trace, count: int, places: int) -> list[float]:
    """The ``count`` largest singular values of the Jacobian, means over ``places`` real steps of as many rows of ``trace``."""
    found = []
    for row, steps in enumerate(trace.real.sum(1).tolist()[:places]):
        for time in sorted({round(at) for at in torch.linspace(min(1, steps - 1), steps - 1, places).tolist()}):
            state = map_state(lambda part, row=row: part[row : row + 1], trace.states[time])
            matrix = jacobian(network, trace.inputs[row : row + 1, time], state)
            found.append(torch.linalg.svdvals(matrix)[:count])
    return torch.stack(found).mean(0).tolist() if found else []
