"""One recursion over the steps, with two reductions: the log of a sum, and the best few.

Shapes: B rows, T steps, K tags, N paths that are kept for each tag (1 where paths are summed). Emissions (T, K, B) have their
rows side by side. Moves (K + 1, K + 1) are the scores of tag after tag and, in the last row and the last column, of starting
and of ending with a tag; -inf is forbidden.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sequences import length_mask


def recursion(emissions: Tensor, moves: Tensor, reduce: Callable[[Tensor], Tensor], paths: int = 1) -> tuple[Tensor, Tensor]:
    """Scores of what ends in each tag after each step, in logarithms: alphas (T, N, K, B), less the shifts (T, B) so far.

    ``reduce`` makes (N, K, B) of the scores (N * K, K, B) of each tag after each path: the log of their sum, or the best N. The
    shift of a step makes the row's highest alpha zero, so that rounding does not grow with T.
    """
    start, transitions = moves[-1, :-1], moves[:-1, :-1].unsqueeze(2)
    arrived = F.pad(start.view(1, -1, 1).expand(1, *emissions.shape[1:]), (0, 0, 0, 0, 0, paths - 1), value=-torch.inf)
    alphas, shifts = [], []
    for emission in emissions.unbind():
        alpha = arrived + emission
        # A row that no allowed sequence has come through is all -inf, from which -inf cannot be taken.
        shifts.append(alpha.detach().amax((0, 1)).clamp(min=torch.finfo(alpha.dtype).min))
        alphas.append(alpha - shifts[-1])
        arrived = reduce((alphas[-1].unsqueeze(2) + transitions).flatten(0, 1))
    return torch.stack(alphas), torch.stack(shifts)


def log_sum(scores: Tensor) -> Tensor:
    """log sum exp over the first dimension, which is kept.

    What sums nothing gets a number too low to count instead of -inf, whose gradient is NaN.
    """
    return scores.clamp(min=floor_of(scores)).logsumexp(0, keepdim=True)


def floor_of(scores: Tensor) -> float:
    return torch.finfo(scores.dtype).min / 4


def highest(scores: Tensor, count: int) -> Tensor:
    """The ``count`` highest along the first dimension, in order."""
    return scores.amax(0, keepdim=True) if count == 1 else scores.topk(count, 0).values


def backtrack(alphas: Tensor, transitions: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
    """The tags (T, N, B) of the paths that end at ``places`` (N, B), path and tag (n * K + k) of a row's last step.

    What a path came from is found again from the alphas before, by the sums that made it, and so is the same to the bit.
    """
    steps, paths, tags, _ = alphas.shape
    alphas = alphas.flatten(1, 2).unsqueeze(2)  # (T, N * K, 1, B)
    sources = transitions.repeat(paths, paths)  # (N * K, N * K): from place to place
    is_last = lengths - 1 == torch.arange(steps, device=lengths.device).unsqueeze(1)  # (T, B)
    trail = [places]
    for time in range(steps - 2, -1, -1):
        follow = sources.index_select(1, trail[-1].flatten()).view(len(sources), *places.shape)
        came = (alphas[time] + follow).topk(paths, 0).indices  # (N, N, B): the n best that lead to each place
        came = came.gather(0, (trail[-1] // tags).unsqueeze(0)).squeeze(0)
        trail.append(torch.where(is_last[time], places, came))
    return torch.stack(trail[::-1]) % tags


def in_columns(emissions: Tensor) -> Tensor:
    """(B, T, K) as (T, K, B), with a step that is not real where there is none."""
    if emissions.shape[1] == 0:
        emissions = F.pad(emissions, (0, 0, 0, 1))
    return emissions.permute(1, 2, 0).contiguous()


def at_the_end(values: Tensor, lengths: Tensor) -> Tensor:
    """Of ``values`` (T, ..., B) those of each row's last real step, (B, ...)."""
    return values.movedim(-1, 0)[torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)]


def sum_over_steps(values: Tensor, lengths: Tensor) -> Tensor:
    """The sum (B,) of ``values`` (T, B) over each row's real steps."""
    return values.masked_fill(~length_mask(lengths, len(values)).t(), 0).sum(0)


def with_boundaries(transitions: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Moves (K + 1, K + 1) of (K, K), (K,) and (K,); from nothing to nothing it is zero."""
    below = torch.cat([starts, starts.new_zeros(1)]).unsqueeze(0)
    return torch.cat([torch.cat([transitions, ends.unsqueeze(1)], 1), below])
