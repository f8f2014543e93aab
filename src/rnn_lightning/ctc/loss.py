"""The loss of connectionist temporal classification (Graves et al., ICML 2006), infinite where a target is infeasible.

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sequences import length_mask
from .contract import check_posteriors, check_targets, min_steps


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
) -> Tensor:
    """The negative log-likelihood (B,) of each target, in nats: summed over all paths that spell it (equation 3).

    It is infinite, and has no gradient, where a target is infeasible: where it needs more steps than there are, one for each
    label and one more for each that equals the one before. An empty target is spelled by blanks alone; with no steps, its loss
    is 0. Half-precision log-probabilities are converted to float32.

    Args:
        log_probs: (B, T, C).
        targets: (B, U) labels, anything behind each row's length.
        lengths, target_lengths: (B,) real steps and labels of each row; ``None``: all of them.
        blank: the label of the blank.

    Raises:
        ValueError: for labels outside the C or equal to the blank, lengths that do not fit, or what is no log-probability.
    """
    log_probs, lengths = check_posteriors(log_probs, lengths, blank)
    targets, target_lengths = check_targets(targets, target_lengths, log_probs, blank)
    real = length_mask(lengths, log_probs.shape[1])
    blanks = log_probs[:, :, blank].masked_fill(~real, 0).sum(1)
    spelled = (target_lengths > 0) & (min_steps(targets, target_lengths) <= lengths)
    losses = torch.where(target_lengths == 0, -blanks, torch.inf)
    if bool(spelled.any()):
        chosen = log_probs[spelled].transpose(0, 1)
        spelled_losses = F.ctc_loss(
            chosen, targets[spelled], lengths[spelled], target_lengths[spelled], blank=blank, reduction="none"
        )
        losses = losses.masked_scatter(spelled, spelled_losses)
        if chosen.requires_grad:  # PyTorch's gradient is NaN where a label or a whole target is impossible
            impossible = (chosen == -torch.inf) | spelled_losses.isinf().unsqueeze(1)
            chosen.register_hook(partial(fill_at, impossible))
    return losses


def fill_at(impossible: Tensor, gradient: Tensor | None) -> Tensor | None:
    """``gradient`` with 0 where it is ``impossible`` that a path passes."""
    return None if gradient is None else gradient.masked_fill(impossible, 0)


def feasible(targets: Tensor, lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """A mask (B,) of the rows that have enough steps for their target."""
    return min_steps(targets, target_lengths) <= lengths.to(targets.device)
