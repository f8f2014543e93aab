"""Backpointers of a beam search: each hypothesis is an entry with the entry that it extends, and is read back from its end.

Shapes: B sentences, P hypotheses asked for of each, N rows of a step, T tokens of the longest hypothesis, M entries: the rows
of all steps, one behind the other.
"""

import torch
from torch import Tensor

from .contract import Hypotheses, trim_padding


class Backpointers:
    """The parent and the token of every row of every step, so that tokens are only written out for the hypotheses that win.

    A finished hypothesis is known by the entry of the row in which it ended, whose path has all of its tokens but ``end``.
    """

    def __init__(self, first: Tensor) -> None:
        self.parents, self.tokens = [torch.arange(len(first), device=first.device)], [first]
        self.log_probs: list[Tensor] = []
        """For each step the model's log-probability (N,) of each row's tokens and then ``end``; the search appends it."""
        self.first_entry = 0
        """The entry of the current step's first row."""

    def append(self, rows: Tensor, tokens: Tensor) -> None:
        """Add the entries of the next step: those of the current step's ``rows`` (N,), extended by ``tokens`` (N,)."""
        self.parents.append(rows + self.first_entry)
        self.first_entry += len(self.tokens[-1])
        self.tokens.append(tokens)

    def hypotheses(self, entries: Tensor, scores: Tensor, end: int) -> Hypotheses:
        """The hypotheses of ``scores`` (B, P) that ended in ``entries`` (B, P); none where the score is -inf."""
        parents, tokens, log_probs = torch.cat(self.parents), torch.cat(self.tokens), torch.cat(self.log_probs)
        depths = torch.cat([torch.full_like(part, depth) for depth, part in enumerate(self.tokens)])  # (M,)
        entries = entries.masked_fill(scores == -torch.inf, 0)
        lengths, log_probs = depths[entries] + 1, log_probs[entries]
        longest = int(lengths.max())
        sequences = torch.full((*entries.shape, longest), end, device=entries.device)
        for depth in range(longest - 1, 0, -1):
            here = depths[entries] == depth
            sequences[:, :, depth - 1] = torch.where(here, tokens[entries], end)
            entries = torch.where(here, parents[entries], entries)
        return trim_padding(Hypotheses(sequences, lengths, scores, log_probs), end)
