"""The loss of connectionist temporal classification (Graves et al., ICML 2006), which never lies about what cannot be said.

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sequences import length_mask
from .contract import check_posteriors, check_targets, needed_steps


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
) -> Tensor:
    """The negative log-likelihood (B,) of each target, in nats: summed over all paths that spell it (equation 3).

    It is infinite, and without gradient, where a target needs more steps than there are: its labels, and one more for each
    that equals the one before. An empty target is spelled by blanks alone; nothing says nothing with certainty. What half
    precision would lose is kept: probabilities are read as float32 at least.

    Args:
        log_probs: (B, T, C).
        targets: (B, U) labels, anything behind each row's length.
        lengths, target_lengths: (B,) real steps and labels of each row; ``None``: all of them.
        blank: the label that stands for none.

    Raises:
        ValueError: for labels outside the C or equal to the blank, lengths that do not fit, or what is no log-probability.
    """
    lengths = check_posteriors(log_probs, lengths, blank)
    targets, target_lengths = check_targets(targets, target_lengths, log_probs, blank)
    if log_probs.dtype in (torch.float16, torch.bfloat16):
        log_probs = log_probs.float()
    real = length_mask(lengths, log_probs.shape[1])
    blanks = log_probs[:, :, blank].masked_fill(~real, 0).sum(1)
    spelled = (target_lengths > 0) & (needed_steps(targets, target_lengths) <= lengths)
    losses = torch.where(target_lengths == 0, -blanks, torch.inf)
    if bool(spelled.any()):
        chosen = log_probs[spelled].transpose(0, 1)
        found = F.ctc_loss(chosen, targets[spelled], lengths[spelled], target_lengths[spelled], blank=blank, reduction="none")
        losses = losses.masked_scatter(spelled, found)
    return losses


def feasible(targets: Tensor, lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """Which rows (B,) have steps enough for their target."""
    return needed_steps(targets, target_lengths) <= lengths.to(targets.device)
