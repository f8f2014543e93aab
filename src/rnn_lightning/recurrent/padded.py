"""Rows of unlike lengths on PyTorch's fused kernels, where there are no compiled steps: padded, in groups of like length.

Packing slices one tensor at every step, and each slice's gradient clears the whole of it: the backward pass takes time
quadratic in T. Padded rows take time linear in T, and waste the steps of padding, which groups of like length keep few.

Shapes: B rows of a batch, R rows of a group, T steps, F features in, H hidden units, L layers, D directions (1 or 2).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..sequences import length_mask, permute_steps, reversal
from .layers import Parts, Weights, read_layers

OneWay: TypeAlias = Callable[[Tensor, Tensor, Parts, Sequence[Tensor]], tuple[Tensor, Parts]]
"""One layer in one direction: inputs (R, T, F), lengths (R,), the state's parts (R, H) and the layer's weights to the outputs
(R, T, H), whatever in the padding, and the state after each row's last step."""

CUTS = 24


class Cost(NamedTuple):
    """What a kernel's work costs in units of one row's step: ``step`` more for every step, ``call`` for every call."""

    step: float
    call: float

    def padded(self, rows: int, steps: int) -> float:
        return steps * (rows + self.step) + self.call


def plan_groups(lengths: Sequence[int], cost: Cost, bound: float = math.inf) -> list[list[int]]:
    """The rows of each group in the cheapest division of a batch by ``lengths``; no groups where it costs ``bound`` or more.

    Dynamic programming over the rows in order of length, which are cut at no more than `CUTS` places.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    if sum(lengths) + cost.step * max(lengths) + cost.call >= bound:  # no division costs less
        return []
    cuts = [*range(0, len(order), -(-len(order) // CUTS)), len(order)]
    longest = [max(1, lengths[order[cut]]) for cut in cuts[:-1]]
    best = [(0.0, 0)]  # for the rows before each cut: their cost, and the cut at which their last group begins
    for after in cuts[1:]:
        begun = zip(best, cuts, longest, strict=False)
        best.append(min((paid[0] + cost.padded(after - cut, steps), place) for place, (paid, cut, steps) in enumerate(begun)))
    if best[-1][0] >= bound:
        return []
    groups, end = [], len(cuts) - 1
    while end:
        begin = best[end][1]
        groups.append(order[cuts[begin] : cuts[end]])
        end = begin
    return groups


@dataclass(frozen=True)
class PaddedReader:
    """All layers of ``core`` on padded rows; ``one_way`` computes each. The tensors of a state have shape (B, L * D, H)."""

    core: nn.RNNBase
    one_way: OneWay

    def read(self, inputs: Tensor, lengths: Tensor, state: Parts, groups: list[list[int]]) -> tuple[Tensor, Parts]:
        """Read ``inputs`` (B, T, F) group by group."""
        if len(groups) == 1:
            return self._read_group(inputs, lengths, state)
        outputs, states = [], []
        for group in groups:
            rows = torch.tensor(group, device=inputs.device)
            starts = tuple(part.index_select(0, rows) for part in state)
            output, after = self._read_group(inputs.index_select(0, rows), lengths[group], starts)
            outputs.append(output)
            states.append(after)
        place = torch.tensor([row for group in groups for row in group], device=inputs.device).argsort()
        merged = (torch.cat(parts).index_select(0, place) for parts in zip(*states, strict=True))
        return torch.cat(outputs).index_select(0, place), tuple(merged)

    def _read_group(self, inputs: Tensor, lengths: Tensor, state: Parts) -> tuple[Tensor, Parts]:
        whole, steps = inputs.shape[1], max(1, int(lengths.max()))
        lengths = lengths.to(inputs.device)
        order = reversal(lengths, steps) if self.core.bidirectional else None

        def layer(inputs: Tensor, start: Parts, weights: Weights, backwards: bool) -> tuple[Tensor, Parts]:
            if order is None or not backwards:
                return self.one_way(inputs, lengths, start, weights)
            outputs, after = self.one_way(permute_steps(inputs, order), lengths, start, weights)
            return permute_steps(outputs, order), after

        outputs, after = read_layers(layer, self.core, inputs[:, :steps], state)
        return F.pad(outputs, (0, 0, 0, whole - steps)) if steps < whole else outputs, after


def at_the_end(outputs: Tensor, lengths: Tensor, start: Tensor) -> Tensor:
    """Each row's output (R, H) at its last real step; ``start`` in an empty row."""
    index = (lengths - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
    return torch.where((lengths > 0).unsqueeze(1), outputs.gather(1, index).squeeze(1), start)


def with_padding_marked(inputs: Tensor, lengths: Tensor) -> Tensor:
    """``inputs`` (R, T, F) with one more feature, 1 in the padding and 0 elsewhere: (R, T, F + 1)."""
    padding = ~length_mask(lengths, inputs.shape[1]).unsqueeze(2)
    return torch.cat([inputs, padding.to(inputs.dtype)], 2)
