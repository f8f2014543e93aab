"""Forced decoding: the log-probability of given sequences.

Shapes: B sentences, n sequences of each, T tokens, V tokens of the vocabulary.
"""

import torch
from torch import Tensor

from ..sequences import State, Step, length_mask, map_state
from .contract import check_shape, check_start


def score(step: Step, state: State, first: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
    """The model's log-probability (B,) of ``tokens`` (B, T), or (B, n) of ``tokens`` (B, n, T) such as those of ``Hypotheses``.

    Each sequence is read by the steps that a search takes. Only the first ``lengths``, (B,) or (B, n), of its tokens count;
    a sequence of none has log-probability 0. Gradients flow.

    Raises:
        ValueError: for shapes that do not fit.
        FloatingPointError: where ``step`` returns NaN for a token that counts.
    """
    check_start(first, state, 0)
    if tokens.dim() not in (2, 3) or len(tokens) != len(first) or tokens.shape[1:-1].numel() == 0:
        raise ValueError(f"tokens must have shape ({len(first)}, T) or ({len(first)}, n, T), not {tuple(tokens.shape)}")
    steps = tokens.shape[-1]
    if lengths.shape != tokens.shape[:-1] or bool(((lengths < 0) | (lengths > steps)).any()):
        raise ValueError(f"lengths must be of 0..{steps} and of shape {tuple(tokens.shape[:-1])}, not {lengths.tolist()}")
    real = length_mask(lengths.flatten().to(tokens.device), steps)  # (B * n, T)
    sequences = tokens.masked_fill(~real.view_as(tokens), 0).reshape(len(first), tokens.shape[1:-1].numel(), steps)
    parts, previous = [], first
    for time in range(steps if len(first) else 0):
        log_probs, state = step(previous, state)
        check_shape(log_probs, len(previous), 0)
        if time == 0:
            rows = torch.arange(len(first), device=first.device).repeat_interleave(sequences.shape[1])
            state = map_state(lambda leaf, rows=rows: leaf.index_select(0, rows), state)
        previous = sequences[:, :, time].flatten()
        parts.append(log_probs.gather(1, previous.view(len(log_probs), -1)).flatten())
    if not parts:
        return torch.zeros(lengths.shape, device=first.device)
    log_probs = torch.stack(parts, 1)  # (B * n, T)
    log_probs = log_probs.masked_fill(~real, 0)
    broken = log_probs.isnan().any(0).nonzero()
    if len(broken):
        raise FloatingPointError(f"step returned a log-probability that is NaN (for token {int(broken[0]) + 1})")
    return log_probs.to(torch.promote_types(log_probs.dtype, torch.float32)).sum(1).view(lengths.shape)
