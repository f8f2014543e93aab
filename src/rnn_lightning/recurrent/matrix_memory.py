"""A memory of matrices read in chunks of steps: products within a chunk, and one memory from each chunk to the next.

Steps within a chunk see each other by a matrix of weights, as in attention; what was before it they see through the memory at
its start. The work is linear in T, and nothing of the size of a memory is kept for each step (Hua et al. 2022,
arXiv:2202.10447; Yang et al. 2024, arXiv:2312.06635).

Shapes: B rows, N heads, D units of a head, T steps in M chunks of L.
"""

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

NEVER = -1e30
"""The logarithm of a gate that is shut: finite, so that differences of two are no NaN."""

SHORTEST, LONGEST = 16, 64
"""The steps L of a chunk are D / 2, but for these bounds: products within it and with the memory then cost alike."""

LARGEST = 60.0
"""The largest logarithm of a divisor, of either sign: single precision holds such a number and its reciprocal."""

Memory: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""C (B, N, D, D), n (B, N, D) and the logarithm m (B, N) of the scale by which both are divided."""


def floor(stabiliser: Tensor) -> Tensor:
    """exp(-m), the least by which what is read is divided: 1 before the division by exp(m)."""
    return stabiliser.neg().clamp(-LARGEST, LARGEST).exp()


def read_in_chunks(
    query: Tensor, key: Tensor, value: Tensor, enter: Tensor, keep: Tensor, *, state: Memory, chunk: int | None = None
) -> tuple[Tensor, Memory]:
    """What each step reads from the memory, and the memory after the last.

    C_t = f_t C_{t-1} + i_t v_t k_t^T, n_t = f_t n_{t-1} + i_t k_t, and read C_t q_t / max(|n_t q_t|, 1).

    Args:
        query, key, value: q, k and v (B, N, T, D).
        enter, keep: log i and log f (B, N, T).
        chunk: L; ``None``: by D.

    Returns:
        (B, N, T, D), and the state after the last step.
    """
    steps = query.shape[2]
    size = min(steps, chunk or min(max(query.shape[3] // 2, SHORTEST), LONGEST))
    more = -steps % size
    query, key, value = (F.pad(part, (0, 0, 0, more)).unflatten(2, (-1, size)) for part in (query, key, value))  # (B,N,M,L,D)
    enter = F.pad(enter, (0, more), value=NEVER).unflatten(2, (-1, size))  # (B, N, M, L)
    since = F.pad(keep, (0, more)).unflatten(2, (-1, size)).cumsum(3)  # log of what is kept from the chunk's start on
    value = torch.cat([value, torch.ones_like(value[..., :1])], 4)  # n is one more row of C
    starts, scales, last = _at_the_starts(key, value, enter, since, state)
    weights = (since.unsqueeze(4) - since.unsqueeze(3) + enter.unsqueeze(3)).masked_fill(_later(size, enter), NEVER)
    before = since + scales.unsqueeze(3)
    scale = torch.maximum(before, weights.amax(4)).unsqueeze(4)  # m at each step
    seen = (query @ key.transpose(3, 4)) * (weights - scale).exp()
    read = seen @ value + (before.unsqueeze(4) - scale).exp() * (query @ starts.transpose(3, 4))
    read = read[..., :-1] / torch.maximum(read[..., -1:].abs(), floor(scale))
    return read.flatten(2, 3)[:, :, :steps], last


def _at_the_starts(key: Tensor, value: Tensor, enter: Tensor, since: Tensor, state: Memory) -> tuple[Tensor, Tensor, Memory]:
    """The memories at the start of each chunk (B, N, M, D + 1, D), n their last row, with m (B, N, M), and the last state."""
    *memory, scale = state
    kept, until = since[..., -1], since[..., -1:] - since + enter  # log of what is kept of a chunk's start, and of each step
    scales = [scale]
    for within, largest in zip(kept.unbind(2), until.amax(3).unbind(2), strict=True):
        scales.append(torch.maximum(within + scales[-1], largest))
    before, after = torch.stack(scales[:-1], 2), torch.stack(scales[1:], 2)
    new = (value * (until - after.unsqueeze(3)).exp().unsqueeze(4)).transpose(3, 4) @ key  # (B, N, M, D + 1, D)
    factors = (kept + before - after).exp().unsqueeze(3).unsqueeze(4)
    memories = [torch.cat([memory[0], memory[1].unsqueeze(2)], 2)]
    for factor, stored in zip(factors.unbind(2), new.unbind(2), strict=True):
        memories.append(torch.addcmul(stored, factor, memories[-1]))
    last = memories[-1]
    return torch.stack(memories[:-1], 2), before, (last[:, :, :-1], last[:, :, -1], scales[-1])


def _later(size: int, like: Tensor) -> Tensor:
    """Which steps of a chunk (L, L), column by column, are later than the one of the row."""
    return torch.ones(size, size, dtype=torch.bool, device=like.device).triu(1)
