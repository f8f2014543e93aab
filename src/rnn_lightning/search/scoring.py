"""Forced decoding: the log-probability of given sequences.

Shapes: B sentences, n sequences of each, T tokens, V tokens of the vocabulary.
"""

import torch
from torch import Tensor

from ..sequences import State, Step, check_lengths, check_tensors, length_mask, map_state
from .contract import check_callables, check_start, take


def score(step: Step, state: State, first: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
    """The model's log-probability (B,) of ``tokens`` (B, T), or (B, n) of ``tokens`` (B, n, T) such as those of ``Hypotheses``.

    Each sequence is read by the steps that a search takes. Only the first ``lengths``, (B,) or (B, n), of its tokens count;
    a sequence of none has log-probability 0. Gradients flow.

    Raises:
        ValueError: for shapes that do not fit.
        FloatingPointError: where ``step`` returns NaN for a token that counts.
    """
    check_callables(step)
    check_start(first, state, 0)
    check_sequences(first, tokens, lengths)
    steps = tokens.shape[-1]
    real = length_mask(lengths.flatten().to(tokens.device), steps)  # (B * n, T)
    sequences = tokens.masked_fill(~real.view_as(tokens), 0).reshape(len(first), tokens.shape[1:-1].numel(), steps)
    parts, previous = [], first
    least, most = (0, 0) if sequences.numel() == 0 else torch.stack([sequences.amin(), sequences.amax()]).tolist()
    for time in range(steps if len(first) else 0):
        log_probs, state = take(step, previous, state, 0)
        if least < 0 or most >= log_probs.shape[1]:
            raise ValueError(f"tokens must be of 0..{log_probs.shape[1] - 1}, not {least if least < 0 else most}")
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
    return log_probs.sum(1).view(lengths.shape)


def check_sequences(first: Tensor, tokens: Tensor, lengths: Tensor) -> None:
    """Refuse ``tokens`` that are not int64 of shape (B, T) or (B, n, T), and ``lengths`` that do not fit them."""
    check_tensors(tokens=tokens, lengths=lengths)
    fits = tokens.dim() in (2, 3) and len(tokens) == len(first) and tokens.shape[1:-1].numel() > 0
    if tokens.dtype != torch.int64 or not fits:
        shape = f"({len(first)}, T) or ({len(first)}, n, T)"
        raise ValueError(f"tokens must be int64 of shape {shape}, not {tokens.dtype} of shape {tuple(tokens.shape)}")
    if lengths.shape != tokens.shape[:-1]:
        raise ValueError(f"lengths must have shape {tuple(tokens.shape[:-1])}, not {tuple(lengths.shape)}")
    check_lengths(lengths.flatten(), tokens.flatten(0, -2), unit="tokens")
