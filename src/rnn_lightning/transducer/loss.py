"""The loss of an RNN transducer: the negative log-likelihood of labels, summed over all alignments with the steps.

Shapes: B rows, T steps, U labels of the longest target, C labels with the blank, N = T + U diagonals of the lattice.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_counts
from ..ctc.contract import check_row_lengths, check_targets
from ..sequences import at_least_single, check_tensors, length_mask

LOW = -1e30
"""Stands for the logarithm of 0, whose gradient is NaN."""


def transducer_loss(
    log_probs: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
) -> Tensor:
    """The losses (B,) of ``targets`` (B, U) by ``log_probs`` (B, T, U + 1, C): of each label at each step after u labels of the
    target. Infinite for a row without a step.

    The forward variable alpha(t, u) = alpha(t - 1, u) blank(t - 1, u) + alpha(t, u - 1) label(t, u - 1) (equation 16) is
    computed in logarithms, diagonal by diagonal.

    Raises:
        ValueError: for shapes, labels or lengths that do not fit, or a log-probability that is NaN or above 0.
    """
    check_tensors(log_probs=log_probs)
    if log_probs.dim() != 4 or not log_probs.is_floating_point():
        kind = f"{log_probs.dtype} of shape {tuple(log_probs.shape)}"
        raise ValueError(f"log_probs must be floats of shape (B, T, U + 1, C), not {kind}")
    rows, steps, places, classes = log_probs.shape
    check_counts(least=0, most=max(classes - 1, 0), blank=blank)
    log_probs = at_least_single(log_probs)
    if lengths is None:
        lengths = torch.full((rows,), steps)
    check_row_lengths("lengths", lengths, rows, steps)
    targets, target_lengths = check_targets(targets, target_lengths, log_probs.flatten(1, 2), blank)
    if targets.shape[1] != places - 1:
        raise ValueError(f"log_probs must have {targets.shape[1] + 1} places, one more than the targets, not {places}")
    lengths = lengths.to(log_probs.device)
    real = length_mask(lengths, steps).unsqueeze(2) & length_mask(target_lengths + 1, places).unsqueeze(1)  # (B, T, U + 1)
    blanks = log_probs[..., blank]
    labels = log_probs[:, :, :-1].gather(3, targets[:, None, :, None].expand(-1, steps, -1, 1)).squeeze(3)
    labels = F.pad(labels, (0, 1), value=LOW)
    if bool(((blanks.isnan() | labels.isnan() | (blanks > 1e-3) | (labels > 1e-3)) & real).any()):
        raise ValueError("log_probs has a number that is NaN or above 0; a log-probability is 0 at most: use log_softmax")
    blanks, labels = (part.masked_fill(~real, LOW).clamp(min=LOW) for part in (blanks, labels))
    return _losses(blanks, labels, lengths, target_lengths)


def _losses(blanks: Tensor, labels: Tensor, lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """The losses (B,) of ``blanks`` and ``labels`` (B, T, U + 1), the log-probabilities of moving on and of the next label."""
    rows, steps, places = blanks.shape
    if not steps:
        return blanks.new_full((rows,), torch.inf)
    alpha = F.pad(blanks.new_zeros(rows, 1), (0, places - 1), value=LOW)
    alphas, moves, says = [alpha], diagonals(blanks), diagonals(labels)
    for move, say in zip(moves.unbind(1)[:-1], says.unbind(1)[:-1], strict=True):
        alpha = torch.logaddexp(alpha + move, F.pad((alpha + say)[:, :-1], (1, 0), value=LOW))
        alphas.append(alpha)
    of_rows, last = torch.arange(rows, device=blanks.device), (lengths - 1).clamp(min=0)
    ends = torch.stack(alphas, 1)[of_rows, last + target_lengths, target_lengths] + blanks[of_rows, last, target_lengths]
    return (-ends).masked_fill(lengths == 0, torch.inf)


def diagonals(values: Tensor) -> Tensor:
    """``values`` (B, T, U + 1) by n = t + u: (B, N, U + 1), `LOW` outside the lattice."""
    _, steps, places = values.shape
    place = torch.arange(places, device=values.device)
    step = torch.arange(steps + places - 1, device=values.device).unsqueeze(1) - place  # (N, U + 1)
    return values[:, step.clamp(0, steps - 1), place].masked_fill((step < 0) | (step >= steps), LOW)
