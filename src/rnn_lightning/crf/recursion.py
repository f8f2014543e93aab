"""The forward recursion of a linear chain, with two reductions: log-sum-exp, and the n best; and its backtracking.

Shapes: B rows, T steps, K tags, N paths that are kept for each tag (1 where paths are summed). Emissions (T, K, B) have the
batch last. Transitions (K + 1, K + 1) are the scores of one tag after another with boundaries: in the last row those of
starting, in the last column those of ending with a tag; -inf is forbidden.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sequences import IGNORED, length_mask


def recursion(
    emissions: Tensor, transitions: Tensor, reduce: Callable[[Tensor], Tensor], paths: int = 1
) -> tuple[Tensor, Tensor]:
    """The forward variables: log scores alpha (T, N, K, B) of the paths that end in each tag, less the shifts (T, B) so far.

    ``reduce`` makes (N, K, B) of the scores (N * K, K, B) of each tag after each path: the log of their sum, or the best N. The
    shift of a step makes the row's highest alpha zero, so that rounding does not grow with T.
    """
    start, between = transitions[-1, :-1], transitions[:-1, :-1].unsqueeze(2)
    arrived = F.pad(start.view(1, -1, 1).expand(1, *emissions.shape[1:]), (0, 0, 0, 0, 0, paths - 1), value=-torch.inf)
    alphas, shifts = [], []
    for emission in emissions.unbind():
        alpha = arrived + emission
        # A row that no allowed sequence has come through is all -inf, from which -inf cannot be taken.
        shifts.append(alpha.detach().amax((0, 1)).clamp(min=torch.finfo(alpha.dtype).min))
        alphas.append(alpha - shifts[-1])
        arrived = reduce((alphas[-1].unsqueeze(2) + between).flatten(0, 1))
    return torch.stack(alphas), torch.stack(shifts)


def log_sum(scores: Tensor) -> Tensor:
    """log-sum-exp over the first dimension, which is kept.

    Where all are -inf, it is a very low number instead, because the gradient of -inf is NaN.
    """
    return scores.clamp(min=floor_of(scores)).logsumexp(0, keepdim=True)


def floor_of(scores: Tensor) -> float:
    """The very low number that stands for -inf in ``log_sum``."""
    return torch.finfo(scores.dtype).min / 4


def top_k(scores: Tensor, k: int) -> Tensor:
    """The ``k`` highest along the first dimension, in order."""
    return scores.topk(k, 0).values


def n_best_paths(emissions: Tensor, transitions: Tensor, lengths: Tensor, n_best: int) -> tuple[Tensor, Tensor]:
    """The tags (B, N, T) of the N paths of each row that score highest, and their scores (B, N).

    Tags are `IGNORED` behind a row's length, and where there are fewer paths (score -inf); a row without a step has one of
    score 0.
    """
    alphas, shifts = recursion(emissions, transitions, partial(top_k, k=n_best), n_best)
    ends = last_step(alphas, lengths) + transitions[:-1, -1]  # (B, N, K)
    scores, last = ends.flatten(1).topk(n_best)
    scores = scores + sum_over_steps(shifts, lengths).unsqueeze(1)
    empty = torch.full_like(scores, -torch.inf).index_fill(1, lengths.new_zeros(1), 0)
    scores = torch.where(lengths.unsqueeze(1) > 0, scores, empty)
    tags = backtrack(alphas, transitions[:-1, :-1], last.t(), lengths).permute(2, 1, 0)
    real = length_mask(lengths, len(emissions)).unsqueeze(1)
    return tags.masked_fill(~real | (scores == -torch.inf).unsqueeze(2), IGNORED), scores


def backtrack(alphas: Tensor, transitions: Tensor, last: Tensor, lengths: Tensor) -> Tensor:
    """The tags (T, N, B) of the paths whose states at a row's last step are ``last`` (N, B): state n * K + k is path n of tag
    k.

    No backpointers are stored: predecessors are found again by the sums that made the alphas, the same to the bit.
    """
    steps, paths, tags, _ = alphas.shape
    alphas = alphas.flatten(1, 2).unsqueeze(2)  # (T, N * K, 1, B)
    from_states = transitions.repeat(paths, paths)  # (N * K, N * K)
    is_last = lengths - 1 == torch.arange(steps, device=lengths.device).unsqueeze(1)  # (T, B)
    path = [last]
    for time in range(steps - 2, -1, -1):
        scores = from_states.index_select(1, path[-1].flatten()).view(len(from_states), *last.shape)
        predecessors = (alphas[time] + scores).topk(paths, 0).indices  # (N, N, B): the n best that lead to each state
        predecessors = predecessors.gather(0, (path[-1] // tags).unsqueeze(0)).squeeze(0)
        path.append(torch.where(is_last[time], last, predecessors))
    return torch.stack(path[::-1]) % tags


def steps_first(emissions: Tensor) -> Tensor:
    """Emissions (B, T, K) as (T, K, B), with one step of padding where T is 0."""
    if emissions.shape[1] == 0:
        emissions = F.pad(emissions, (0, 0, 0, 1))
    return emissions.permute(1, 2, 0).contiguous()


def last_step(values: Tensor, lengths: Tensor) -> Tensor:
    """The ``values`` (T, ..., B) of each row's last real step: (B, ...)."""
    return values.movedim(-1, 0)[torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)]


def sum_over_steps(values: Tensor, lengths: Tensor) -> Tensor:
    """The sum (B,) of ``values`` (T, B) over each row's real steps."""
    return values.masked_fill(~length_mask(lengths, len(values)).t(), 0).sum(0)


def with_boundaries(transitions: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Transitions (K + 1, K + 1) of those between tags (K, K), ``starts`` (K,) and ``ends`` (K,); zero from boundary to
    boundary."""
    below = torch.cat([starts, starts.new_zeros(1)]).unsqueeze(0)
    return torch.cat([torch.cat([transitions, ends.unsqueeze(1)], 1), below])
