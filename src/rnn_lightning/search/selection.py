"""Which continuations a beam goes on with.

Shapes: A active sentences, G groups of a beam, R rows of a group, K hypotheses that a group keeps, V tokens, C candidates.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Selected(NamedTuple):
    """The hypotheses that stay open, (A, G, K) each.

    ``ranks`` is what they were chosen by and ``totals`` the sum of their log-probabilities, both -inf where a beam could not
    be filled; ``parents`` are their rows within the group, 0..R-1, ``tokens`` the last ones said.
    """

    ranks: Tensor
    totals: Tensor
    parents: Tensor
    tokens: Tensor


def select_best(log_probs: Tensor, totals: Tensor, end: int, width: int) -> Selected:
    """The ``width`` likeliest continuations but by ``end`` of ``totals`` (A, G, R) by ``log_probs`` (A, G, R, V).

    No row can give more than ``width`` of them, and with ``end`` one more, so that the best of each row are looked for first.
    """
    values, tokens = log_probs.topk(min(width + 1, log_probs.shape[3]))  # (A, G, R, C)
    unfit = (tokens == end) | (totals == -torch.inf).unsqueeze(3)
    values = (values + totals.unsqueeze(3)).masked_fill(unfit, -torch.inf).flatten(2)
    candidates, tokens, missing = tokens.shape[3], tokens.flatten(2), width - values.shape[2]
    if missing > 0:
        values, tokens = F.pad(values, (0, missing), value=-torch.inf), F.pad(tokens, (0, missing), value=end)
    values, places = values.topk(width)
    parents = (places // candidates).clamp(max=totals.shape[2] - 1)
    return Selected(values, values, parents, tokens.gather(2, places))


def select_diverse(log_probs: Tensor, totals: Tensor, end: int, width: int, strength: float) -> Selected:
    """As ``select_best``, one group after the other (Vijayakumar et al. 2016, arXiv:1610.02424, Hamming diversity).

    For a choice in one group a token counts ``strength`` less for each hypothesis of an earlier group that goes on by it. A
    hypothesis' total is not lowered by that.
    """
    used = log_probs.new_zeros(len(log_probs), 1, 1, log_probs.shape[3])
    groups = []
    for own, sums in zip(log_probs.split(1, 1), totals.split(1, 1), strict=True):
        ranks, _, parents, tokens = select_best(own - strength * used, sums, end, width)
        dead = ranks == -torch.inf
        after = continued(own, sums, parents, tokens).masked_fill(dead, -torch.inf)
        groups.append(Selected(ranks, after, parents, tokens))
        used = used.scatter_add(3, tokens.unsqueeze(1), (~dead).to(used.dtype).unsqueeze(1))
    return Selected(*(torch.cat(parts, 1) for parts in zip(*groups, strict=True)))


def continued(log_probs: Tensor, totals: Tensor, parents: Tensor, tokens: Tensor) -> Tensor:
    """The sums (A, G, C) of continuing the rows ``parents`` (A, G, C) by ``tokens`` (A, G, C)."""
    places = parents * log_probs.shape[3] + tokens
    return totals.gather(2, parents) + log_probs.flatten(2).gather(2, places)
