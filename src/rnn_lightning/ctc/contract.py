"""Checks of the arguments of connectionist temporal classification (Graves et al. 2006).

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target.
"""

import torch
from torch import Tensor

from ..checks import check_counts
from ..sequences import IGNORED, at_least_single, check_tensors, length_mask


def check_posteriors(log_probs: Tensor, lengths: Tensor | None, blank: int) -> tuple[Tensor, Tensor]:
    """Check ``log_probs`` (B, T, C); these in single precision at least, and the lengths (B,) of their rows, T where
    ``lengths`` is ``None``.

    Raises:
        ValueError: for another shape, a blank that is no label, lengths that do not fit, or a log-probability of a real step
            that is NaN or above 0.
    """
    check_tensors(log_probs=log_probs)
    check_counts(least=0, blank=blank)
    if log_probs.dim() != 3 or not log_probs.is_floating_point():
        raise ValueError(
            f"log_probs must be floats of shape (B, T, C), not {log_probs.dtype} of shape {tuple(log_probs.shape)}"
        )
    rows, steps, labels = log_probs.shape
    if blank >= labels:
        raise ValueError(f"blank must be one of the labels 0..{labels - 1}, not {blank}")
    if lengths is None:
        lengths = torch.full((rows,), steps, device=log_probs.device)
    check_row_lengths("lengths", lengths, rows, steps)
    wrong = (log_probs.isnan() | (log_probs > 1e-3)) & length_mask(lengths.to(log_probs.device), steps).unsqueeze(2)
    if bool(wrong.any()):
        row, step, label = wrong.nonzero()[0].tolist()
        value = log_probs[row, step, label].item()
        raise ValueError(f"log_probs[{row}, {step}, {label}] is {value}; a log-probability is 0 at most: use log_softmax")
    return at_least_single(log_probs), lengths.to(log_probs.device)


def check_targets(targets: Tensor, target_lengths: Tensor | None, log_probs: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """Check ``targets``; these as (B, U), 0 behind each row's length, and the lengths (B,), U where ``target_lengths`` is
    ``None``.

    PyTorch's loss does not check labels: for one outside 0..C-1 it reads foreign memory, and returns some number.

    Raises:
        ValueError: for targets that are no integers (B, U), lengths that do not fit, a label that is none, or a blank.
    """
    check_tensors(targets=targets)
    if targets.dim() != 2 or targets.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"targets must be integers of shape (B, U), not {targets.dtype} of shape {tuple(targets.shape)}")
    if len(targets) != len(log_probs):
        raise ValueError(f"targets must have one row for each of log_probs, {len(log_probs)}, not {len(targets)}")
    labels = log_probs.shape[2]
    targets = targets.to(log_probs.device)
    if target_lengths is None:
        target_lengths = torch.full((len(targets),), targets.shape[1], device=targets.device)
    check_row_lengths("target_lengths", target_lengths, *targets.shape)
    target_lengths = target_lengths.to(targets.device)
    real = length_mask(target_lengths, targets.shape[1])
    wrong = ((targets < 0) | (targets >= labels) | (targets == blank)) & real
    if bool(wrong.any()):
        row, index = wrong.nonzero()[0].tolist()
        allowed = f"labels are 0..{labels - 1} without the blank, {blank}"
        raise ValueError(f"target {int(targets[row, index])} in row {row}, place {index}: {allowed}")
    return targets.long().masked_fill(~real, 0), target_lengths


def check_row_lengths(name: str, lengths: Tensor, rows: int, most: int) -> None:
    """Check that ``lengths`` are one integer of 0..``most`` for each of the ``rows``.

    Raises:
        ValueError: naming the first that is wrong.
    """
    check_tensors(**{name: lengths})
    if lengths.dtype not in (torch.int32, torch.int64) or lengths.shape != (rows,):
        raise ValueError(f"{name} must be {rows} integers, one a row, not {lengths.dtype} of shape {tuple(lengths.shape)}")
    wrong = ((lengths < 0) | (lengths > most)).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"{name}[{row}] is {int(lengths[row])}; it must lie in 0..{most}")


def min_steps(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The least number of steps (B,) of a path of each target (B, U): its labels, and a blank between two that are equal."""
    both = length_mask(target_lengths, targets.shape[1])[:, 1:]
    return target_lengths + ((targets[:, 1:] == targets[:, :-1]) & both).sum(1)


def pad_labels(rows: list[Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
    """Label sequences of any length, padded with `IGNORED` to (B, U), and their lengths (B,)."""
    lengths = torch.tensor([len(row) for row in rows], device=like.device)
    if not rows:
        return torch.zeros(0, 0, dtype=torch.int64, device=like.device), lengths
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=IGNORED), lengths
