"""The CTC lattice of a target: one forward recursion over its paths, by sum for a likelihood, by maximum for an alignment.

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target, S = 2 U + 1 states of the lattice: the labels
with a blank before, between and after them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..sequences import IGNORED, length_mask
from .contract import check_posteriors, check_targets


class Alignment(NamedTuple):
    """The forced alignment of each row: the likeliest path that spells its target.

    ``labels`` (B, T): the label of every step, often the blank, `IGNORED` behind the row's length or where there is no path.
    ``starts``, ``ends`` (B, U): label u is emitted from step ``starts`` to before step ``ends``. ``confidence`` (B, U): the
    mean probability of the label in these steps; 0 where there is no label. ``scores`` (B,): the log-probability of the path,
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
    """Forced alignment: the steps of each label of ``targets`` (B, U) on the likeliest path; arguments as ``ctc_loss``.

    Raises:
        ValueError: as ``ctc_loss``.
    """
    log_probs, lengths = check_posteriors(log_probs, lengths, blank)
    targets, target_lengths = check_targets(targets, target_lengths, log_probs, blank)
    states = with_blanks(targets, blank)
    alphas = forward_scores(log_probs, states, lengths, target_lengths)
    scores, last = torch.stack(final_scores(alphas[-1], target_lengths), 1).max(1)
    path = _backtrack(alphas, states, lengths, 2 * target_lengths - last)  # (B, T) states
    real = (scores > -torch.inf).unsqueeze(1) & length_mask(lengths, log_probs.shape[1])
    labels = states.gather(1, path).masked_fill(~real, IGNORED)
    label_states = 2 * torch.arange(targets.shape[1], device=path.device).view(1, -1, 1) + 1
    emitted = (path.unsqueeze(1) == label_states) & real.unsqueeze(1)  # (B, U, T)
    counts = emitted.sum(2)  # (B, U)
    probabilities = log_probs.exp().gather(2, targets.unsqueeze(1).expand(-1, log_probs.shape[1], -1)).transpose(1, 2)
    starts = emitted.int().argmax(2) if emitted.shape[2] else counts
    confidence = probabilities.masked_fill(~emitted, 0).sum(2) / counts.clamp(min=1)
    return Alignment(labels, starts, starts + counts, confidence, scores)


def with_blanks(targets: Tensor, blank: int) -> Tensor:
    """The labels of the lattice's states (B, S): ``targets`` (B, U) with a blank before, between and after them."""
    states = targets.new_full((len(targets), 2 * targets.shape[1] + 1), blank)
    states[:, 1::2] = targets
    return states


def forward_scores(
    log_probs: Tensor, states: Tensor, lengths: Tensor, target_lengths: Tensor, *, total: bool = False
) -> list[Tensor]:
    """The forward variables (B, S), before any step and after each of the T: the log-probability of the best path to a state,
    or with ``total`` of all paths to it.

    Behind a row's length they stay as they are. A state behind a row's target is never reached.
    """
    combine = torch.logsumexp if total else torch.amax
    reachable = torch.arange(states.shape[1], device=states.device) <= 2 * target_lengths.unsqueeze(1)
    skips = torch.zeros_like(states, dtype=torch.bool)
    skips[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    alpha = log_probs.new_full(states.shape, -torch.inf)
    alpha[:, 0] = 0  # before the first step: as if a blank had been emitted
    alphas = [alpha]
    for time, emissions in enumerate(log_probs.unbind(1)):
        predecessors = torch.stack([alpha, _shifted(alpha, 1), _shifted(alpha, 2).masked_fill(~skips, -torch.inf)])
        after = (combine(predecessors, 0) + emissions.gather(1, states)).masked_fill(~reachable, -torch.inf)
        alpha = torch.where((time < lengths).unsqueeze(1), after, alpha)
        alphas.append(alpha)
    return alphas


def final_scores(alpha: Tensor, target_lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probabilities (B,) of paths that end in the last blank, and in the last label, by the last ``alpha`` (B, S)."""
    last = 2 * target_lengths.unsqueeze(1)
    blank, label = alpha.gather(1, last), alpha.gather(1, (last - 1).clamp(min=0))
    return blank.squeeze(1), label.squeeze(1).masked_fill(target_lengths == 0, -torch.inf)


def _shifted(alpha: Tensor, by: int) -> Tensor:
    """``alpha`` (B, S) of the state ``by`` earlier."""
    return torch.cat([alpha.new_full((len(alpha), min(by, alpha.shape[1])), -torch.inf), alpha[:, :-by]], 1)


def _backtrack(alphas: list[Tensor], states: Tensor, lengths: Tensor, last: Tensor) -> Tensor:
    """The states (B, T) of the best path that ends in state ``last`` (B,), traced back from its end."""
    state, path = last.clamp(min=0), []
    for time in range(len(alphas) - 2, -1, -1):
        path.append(state)
        predecessors = torch.stack([state, (state - 1).clamp(min=0), (state - 2).clamp(min=0)], 1)  # (B, 3)
        labels, alpha = states.gather(1, predecessors), alphas[time].gather(1, predecessors)
        skips = (state % 2 == 1) & (state >= 2) & (labels[:, 0] != labels[:, 2])
        legal = torch.stack([torch.ones_like(skips), state >= 1, skips], 1)
        best = alpha.masked_fill(~legal, -torch.inf).argmax(1, keepdim=True)
        state = torch.where(time < lengths, predecessors.gather(1, best).squeeze(1), state)
    return torch.stack(path[::-1], 1) if path else states.new_zeros(len(states), 0)
