"""Which hypothesis grew out of which, and by what token.

Shapes: B sentences, P hypotheses asked for of each, N rows of a step, T tokens of the longest hypothesis, M nodes: the rows of
all steps, one behind the other.
"""

import torch
from torch import Tensor

from .contract import Hypotheses, trimmed


class Backpointers:
    """Every row of every step as a node with a parent, so that tokens are written down only for what has won.

    A finished hypothesis goes by the node of the row that it ended in, which has all of its tokens but ``end``.
    """

    def __init__(self, first: Tensor) -> None:
        self.parents, self.tokens = [torch.arange(len(first), device=first.device)], [first]
        self.ended: list[Tensor] = []
        self.base = 0
        """The node of the current step's first row."""

    def grow(self, rows: Tensor, tokens: Tensor) -> None:
        """Say which ``rows`` (N,) of the current step go on by which ``tokens`` (N,); theirs is the next one."""
        self.parents.append(rows + self.base)
        self.base += len(self.tokens[-1])
        self.tokens.append(tokens)

    def read(self, nodes: Tensor, scores: Tensor, end: int) -> Hypotheses:
        """The hypotheses of ``scores`` (B, P) that ended in ``nodes`` (B, P); where a score is -inf there is none.

        ``ended`` must hold, for each step, the sum (N,) of the model's log-probabilities of its rows and then ``end``.
        """
        parents, tokens, log_probs = torch.cat(self.parents), torch.cat(self.tokens), torch.cat(self.ended)
        depths = torch.cat([torch.full_like(part, depth) for depth, part in enumerate(self.tokens)])  # (M,)
        nodes = nodes.masked_fill(scores == -torch.inf, 0)
        lengths, log_probs = depths[nodes] + 1, log_probs[nodes]
        longest = int(lengths.max())
        said = torch.full((*nodes.shape, longest), end, device=nodes.device)
        for depth in range(longest - 1, 0, -1):
            here = depths[nodes] == depth
            said[:, :, depth - 1] = torch.where(here, tokens[nodes], end)
            nodes = torch.where(here, parents[nodes], nodes)
        return trimmed(Hypotheses(said, lengths, scores, log_probs), end)
