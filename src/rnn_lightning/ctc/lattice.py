"""The paths that spell a target, step by step: one recursion, summed for a likelihood, maximised for an alignment.

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target, S = 2 U + 1 places on a path: a blank before,
between and after the labels.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..sequences import IGNORED, length_mask
from .contract import check_posteriors, check_targets


class Alignment(NamedTuple):
    """The likeliest path of each row.

    ``labels`` (B, T): the label of every step, often the blank, `IGNORED` behind the row's length or where there is no path.
    ``starts``, ``ends`` (B, U): label u is said from step ``starts`` to before step ``ends``. ``confidence`` (B, U): the mean
    probability of the label in these steps; 0 where there is no label. ``scores`` (B,): the log-probability of the path,
    minus infinity where there is none.
    """

    labels: Tensor
    starts: Tensor
    ends: Tensor
    confidence: Tensor
    scores: Tensor


def ctc_align(
    log_probs: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
) -> Alignment:
    """When each label of ``targets`` (B, U) is said, by the likeliest of the paths that spell it; arguments as ``ctc_loss``.

    Raises:
        ValueError: as ``ctc_loss``.
    """
    lengths = check_posteriors(log_probs, lengths, blank)
    targets, target_lengths = check_targets(targets, target_lengths, log_probs, blank)
    places = with_blanks(targets, blank)
    steps = walk(log_probs, places, lengths, target_lengths)
    scores, last = torch.stack(ends_of_paths(steps[-1], target_lengths), 1).max(1)
    path = _back(steps, log_probs, places, lengths, 2 * target_lengths - last)  # (B, T) places
    there = (scores > -torch.inf).unsqueeze(1) & length_mask(lengths, log_probs.shape[1])
    labels = places.gather(1, path).masked_fill(~there, IGNORED)
    said = (path.unsqueeze(1) == 2 * torch.arange(targets.shape[1], device=path.device).view(1, -1, 1) + 1) & there.unsqueeze(1)
    counts = said.sum(2)  # (B, U)
    probabilities = log_probs.exp().gather(2, targets.unsqueeze(1).expand(-1, log_probs.shape[1], -1)).transpose(1, 2)
    starts = said.int().argmax(2) if said.shape[2] else counts
    confidence = probabilities.masked_fill(~said, 0).sum(2) / counts.clamp(min=1)
    return Alignment(labels, starts, starts + counts, confidence, scores)


def with_blanks(targets: Tensor, blank: int) -> Tensor:
    """``targets`` (B, U) with a blank before, between and after the labels: (B, S)."""
    places = targets.new_full((len(targets), 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    return places


def walk(log_probs: Tensor, places: Tensor, lengths: Tensor, target_lengths: Tensor, *, total: bool = False) -> list[Tensor]:
    """What paths to each place (B, S) weigh before any step and after each of the T: the best, or with ``total`` all together.

    A row's weights stay what they are once its steps are over. A place behind a row's target is never reached.
    """
    combine = torch.logsumexp if total else torch.amax
    reachable = torch.arange(places.shape[1], device=places.device) <= 2 * target_lengths.unsqueeze(1)
    skips = torch.zeros_like(places, dtype=torch.bool)
    skips[:, 3::2] = places[:, 3::2] != places[:, 1:-2:2]
    weights = log_probs.new_full(places.shape, -torch.inf)
    weights[:, 0] = 0  # before the first step: as if a blank had been said
    began = [weights]
    for time, emitted in enumerate(log_probs.unbind(1)):
        here = emitted.gather(1, places)
        ways = torch.stack([weights, _shifted(weights, 1), _shifted(weights, 2).masked_fill(~skips, -torch.inf)])
        after = (combine(ways, 0) + here).masked_fill(~reachable, -torch.inf)
        weights = torch.where((time < lengths).unsqueeze(1), after, weights)
        began.append(weights)
    return began


def ends_of_paths(weights: Tensor, target_lengths: Tensor) -> tuple[Tensor, Tensor]:
    """What paths that end in the last blank, and in the last label, weigh: (B,) each."""
    last = 2 * target_lengths.unsqueeze(1)
    blank, label = weights.gather(1, last), weights.gather(1, (last - 1).clamp(min=0))
    return blank.squeeze(1), label.squeeze(1).masked_fill(target_lengths == 0, -torch.inf)


def _shifted(weights: Tensor, by: int) -> Tensor:
    """``weights`` (B, S) of the place ``by`` earlier."""
    return torch.cat([weights.new_full((len(weights), min(by, weights.shape[1])), -torch.inf), weights[:, :-by]], 1)


def _back(steps: list[Tensor], log_probs: Tensor, places: Tensor, lengths: Tensor, last: Tensor) -> Tensor:
    """The places (B, T) of the best path that ends in place ``last`` (B,), from its end to its start."""
    place, path = last.clamp(min=0), []
    for time in range(log_probs.shape[1] - 1, -1, -1):
        path.append(place)
        before = steps[time]
        ways = torch.stack([place, (place - 1).clamp(min=0), (place - 2).clamp(min=0)], 1)  # (B, 3)
        labels = places.gather(1, ways)
        weights = before.gather(1, ways)
        skips = (place % 2 == 1) & (place >= 2) & (labels[:, 0] != labels[:, 2])
        legal = torch.stack([torch.ones_like(skips), place >= 1, skips], 1)
        best = weights.masked_fill(~legal, -torch.inf).argmax(1, keepdim=True)
        earlier = ways.gather(1, best).squeeze(1)
        place = torch.where(time < lengths, earlier, place)
    return torch.stack(path[::-1], 1) if path else places.new_zeros(len(places), 0)
