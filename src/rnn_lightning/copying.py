"""Copying tokens of a source: the pointer-generator of a decoder, also for words that its vocabulary lacks.

Words outside the vocabulary of V tokens have the numbers V, V + 1, ... in a batch, its extended vocabulary of V' tokens.
Shapes: B sources, S source steps; N rows, K = N / B of them for each source, U target steps.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Memory
from .checks import check_counts, shown
from .products import Linear
from .sequences import at_least_single

OUTSIDE = 10_000
"""How many words outside the vocabulary a batch may number; each takes the memory of a token in every step."""


class Pointer(nn.Module):
    """P(w) = g P_vocabulary(w) + (1 - g) sum of a_i over the steps i of the source that are w, with the attention's weights a
    and g = sigmoid(w . [context; h; x] + b) (See et al. 2017, arXiv:1704.04368, equations 8 and 9)."""

    def __init__(self, width: int, vocab_size: int, unknown: int) -> None:
        """A pointer that reads ``width`` features; tokens from ``vocab_size`` on are read as ``unknown``."""
        super().__init__()
        self.generate = Linear(width, 1)
        self.vocab_size, self.unknown = vocab_size, unknown

    def read(self, tokens: Tensor) -> Tensor:
        """``tokens`` as networks read them, which know those of the vocabulary."""
        return tokens.masked_fill(tokens >= self.vocab_size, self.unknown)

    def forward(self, log_probs: Tensor, weights: Tensor, gate: Tensor, memory: Memory) -> Tensor:
        """Log-probabilities (N, U, V') from those of the vocabulary (N, U, V), the attention's ``weights`` (N, U, S) and the
        ``gate`` (N, U) before its sigmoid; a token that can be neither generated nor copied has -inf."""
        assert memory.tokens is not None
        tokens = memory.tokens.repeat_interleave(len(weights) // max(len(memory.tokens), 1), 0)
        tokens, weights = tokens.unsqueeze(1).expand_as(weights), at_least_single(weights)
        copied = weights.new_zeros(*weights.shape[:2], memory.size).scatter_add(2, tokens, weights)
        share = at_least_single(gate).sigmoid().unsqueeze(2)
        share = torch.where(weights.sum(2, keepdim=True) > 0, share, 1.0)  # of a source without steps nothing is copied
        mixed = share * F.pad(log_probs.exp(), (0, memory.size - self.vocab_size)) + (1 - share) * copied
        return mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log().masked_fill(mixed == 0, -torch.inf)


def check_copying(copying: Any, vocab_size: int, *, attention: Any) -> int | None:
    """The token as which words outside the vocabulary are read, of ``{"unknown": TOKEN}``; ``None`` for no copying.

    Raises:
        ValueError: for other settings, or no attention to point with.
    """
    if copying is None:
        return None
    if not isinstance(copying, Mapping) or set(copying) != {"unknown"}:
        raise ValueError(f"copying must be {{'unknown': TOKEN}}, or None, not {shown(copying)}")
    unknown: dict[str, Any] = {"copying.unknown": copying["unknown"]}
    check_counts(least=0, most=vocab_size - 1, **unknown)
    if attention is None:
        raise ValueError("copying points with the weights of an attention: it needs one, not None")
    return copying["unknown"]
