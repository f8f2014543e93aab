"""Sequences that begin anew inside a row: its pieces are read as rows of their own, and put back where they were.

Shapes: B rows, T steps, F features in, H features out, P pieces, L steps of the longest piece.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..checks import shown
from ..sequences import State, length_mask, map_state


class Reader(Protocol):
    """A network that reads rows from a state on."""

    bidirectional: bool

    def __call__(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]: ...
    def start(self, inputs: Tensor) -> State: ...


class Pieces(NamedTuple):
    """Where the pieces of a batch are: of each its ``row``, its ``first`` step and its ``length``, all (P,); of each step
    whether it is ``real``, the ``number`` of its piece, and its ``place`` in that, all (B, T)."""

    row: Tensor
    first: Tensor
    length: Tensor
    real: Tensor
    number: Tensor
    place: Tensor


def pieces_of(fresh: Tensor, lengths: Tensor | None) -> Pieces:
    """The pieces of a batch that begin where ``fresh`` (B, T) is set, and at the first step of each row."""
    rows, steps = fresh.shape
    real = torch.ones_like(fresh) if lengths is None else length_mask(lengths.to(fresh.device), steps)
    begins = fresh & real
    begins[:, :1] = real[:, :1]
    row, first = begins.nonzero(as_tuple=True)
    number = (begins.flatten().cumsum(0) - 1).view(rows, steps)
    place = torch.arange(steps, device=fresh.device) - first[number.clamp(min=0)] if len(row) else number
    return Pieces(row, first, torch.bincount(number[real], minlength=len(row)), real, number, place)


def check_fresh(fresh: Tensor, inputs: Tensor) -> None:
    """Refuse what does not say of each step whether it begins anew.

    Raises:
        ValueError: saying what came.
    """
    if not isinstance(fresh, Tensor) or fresh.dtype != torch.bool or fresh.shape != inputs.shape[:2]:
        came = f"{fresh.dtype} of shape {tuple(fresh.shape)}" if isinstance(fresh, Tensor) else shown(fresh)
        raise ValueError(f"fresh must be booleans of shape {tuple(inputs.shape[:2])}, one a step, not {came}")


def read_pieces(network: Reader, inputs: Tensor, lengths: Tensor | None, state: State, fresh: Tensor) -> tuple[Tensor, State]:
    """Read ``inputs`` (B, T, F), each row anew before the steps where ``fresh`` is set; as if its pieces were read apart.

    A row goes on from ``state`` unless its first step is fresh. The state afterwards is that of each row's last piece.
    """
    pieces = pieces_of(fresh.to(inputs.device), lengths)
    if not len(pieces.row):
        return network(inputs, lengths, state)
    longest = int(pieces.length.max())
    steps = torch.arange(longest, device=inputs.device).clamp(max=inputs.shape[1] - 1)
    index = (pieces.first.unsqueeze(1) + steps).clamp(max=inputs.shape[1] - 1)
    apart = inputs[pieces.row.unsqueeze(1), index]  # (P, L, F)
    goes_on = (pieces.first == 0) & ~fresh.to(inputs.device)[pieces.row, 0]
    start = map_state(lambda new, old: _chosen(goes_on, old[pieces.row], new), network.start(apart), state)
    outputs, after = network(apart, pieces.length, start)
    whole = outputs.new_zeros(*inputs.shape[:2], outputs.shape[2])
    whole = whole.masked_scatter(pieces.real.unsqueeze(2), outputs[pieces.number[pieces.real], pieces.place[pieces.real]])
    count = pieces.real.sum(1)
    last = pieces.number.gather(1, (count - 1).clamp(min=0).unsqueeze(1)).squeeze(1).clamp(min=0)
    return whole, map_state(lambda new, old: _chosen(count > 0, new[last], old), after, state)


def _chosen(mask: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Row by row ``one`` (R, ...) where ``mask`` (R,) is set, else the ``other``."""
    return torch.where(mask.view(-1, *[1] * (one.dim() - 1)), one, other)
