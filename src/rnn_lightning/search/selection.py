"""Selection of the continuations that stay in a beam: the best, or diverse ones.

Shapes: A active sentences, G groups of a beam, R rows of a group, K hypotheses that a group keeps, V tokens, C candidates.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Selected(NamedTuple):
    """The continuations that stay open, (A, G, K) each.

    ``ranks`` are the scores that they were chosen by and ``totals`` the sums of their log-probabilities, both -inf where there
    are fewer than K; ``parents`` are the rows that they extend, 0..R-1 of the group, ``tokens`` their last tokens.
    """

    ranks: Tensor
    totals: Tensor
    parents: Tensor
    tokens: Tensor


def select_best(log_probs: Tensor, totals: Tensor, end: int, width: int) -> Selected:
    """The ``width`` best continuations, by another token than ``end``, of ``totals`` (A, G, R) by ``log_probs`` (A, G, R, V).

    No row can give more than ``width`` of them, and with ``end`` one more, so that the best of each row are found first.
    """
    values, tokens = log_probs.topk(min(width + 1, log_probs.shape[3]))  # (A, G, R, C)
    unfit = (tokens == end) | (totals == -torch.inf).unsqueeze(3)
    values = (values + totals.unsqueeze(3)).masked_fill(unfit, -torch.inf).flatten(2)
    candidates, tokens, missing = tokens.shape[3], tokens.flatten(2), width - values.shape[2]
    if missing > 0:
        values, tokens = F.pad(values, (0, missing), value=-torch.inf), F.pad(tokens, (0, missing), value=end)
    values, chosen = values.topk(width)
    parents = (chosen // candidates).clamp(max=totals.shape[2] - 1)
    return Selected(values, values, parents, tokens.gather(2, chosen))


def select_diverse(log_probs: Tensor, totals: Tensor, end: int, width: int, strength: float) -> Selected:
    """Diverse beam search with Hamming diversity (Vijayakumar et al. 2016, arXiv:1610.02424): ``select_best`` group by group.

    The score of a token in one group is lowered by ``strength`` for each hypothesis of an earlier group that continues with it.
    A hypothesis' total is not.
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
    """The total log-probabilities (A, G, C) of the rows ``parents`` (A, G, C) extended by ``tokens`` (A, G, C)."""
    cells = parents * log_probs.shape[3] + tokens
    return totals.gather(2, parents) + log_probs.flatten(2).gather(2, cells)
