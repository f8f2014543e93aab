"""Attention of a decoder to the steps of a source: additive, dot-product and general.

Shapes: B sources, S steps of the longest, E features of a source step, Q queries a source, D features of a query,
A features of the space in which both are compared.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .checks import shown
from .products import Linear
from .sequences import length_mask


class Memory(NamedTuple):
    """A batch of encoded sources, the keys and values of attention.

    ``values`` (B, S, E) are averaged by attention, ``keys`` (B, S, A or D) are compared with queries, ``real`` (B, S) is false
    in the padding (``None``: there is none), ``summary`` (B, E) is one vector for a whole source.
    """

    values: Tensor
    keys: Tensor
    real: Tensor | None
    summary: Tensor

    def of(self, sources: Tensor) -> "Memory":
        """The memory of the ``sources`` (N,) of rows, sorted, each source once; the whole memory where these are all."""
        left = sources.unique_consecutive()
        if len(left) == len(self.values):
            return self
        real = None if self.real is None else self.real[left]
        return Memory(self.values[left], self.keys[left], real, self.summary[left])


class Attention(nn.Module, ABC):
    """Attention: a softmax over the steps of a source, and the mean of its values by these weights (Bahdanau et al. 2015,
    arXiv:1409.0473)."""

    def __init__(self, memory_size: int, query_size: int) -> None:
        super().__init__()
        self.memory_size, self.query_size = memory_size, query_size

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """The keys (B, S, A or D) of values (B, S, E), computed once a source."""

    @abstractmethod
    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """The scores (B, Q, S) of queries (B, Q, D) against keys (B, S, A or D), before the softmax."""

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The context vectors (B, Q, E) and weights (B, Q, S) of ``queries`` (B, Q, D); both are zero for a source without
        steps."""
        scores = self.scores(queries, memory.keys)
        if memory.real is None:
            weights = scores.softmax(-1)
        else:
            padding = ~memory.real.unsqueeze(1)  # (B, 1, S)
            # The lowest number instead of -inf, which would make a source without steps NaN.
            weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
        return torch.bmm(weights, memory.values), weights


class Dot(Attention):
    """Dot-product attention, q . m (Luong et al. 2015, arXiv:1508.04025, equation 8); needs E = D."""

    def __init__(self, memory_size: int, query_size: int) -> None:
        super().__init__(memory_size, query_size)
        if memory_size != query_size:
            raise ValueError(
                f"dot attention needs a memory as wide as its queries, not {memory_size} and {query_size}; use 'general'"
            )

    def keys(self, values: Tensor) -> Tensor:
        return values

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(queries, keys.transpose(1, 2))


class General(Attention):
    """General attention, q . W m (Luong et al. 2015, arXiv:1508.04025, equation 8)."""

    def __init__(self, memory_size: int, query_size: int) -> None:
        super().__init__(memory_size, query_size)
        self.key = Linear(memory_size, query_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(queries, keys.transpose(1, 2))


class Additive(Attention):
    """Additive attention, v . tanh(W q + U m + b), compared in D features (Bahdanau et al. 2015, arXiv:1409.0473, appendix
    A.1.2)."""

    def __init__(self, memory_size: int, query_size: int) -> None:
        super().__init__(memory_size, query_size)
        self.query = Linear(query_size, query_size, bias=False)
        self.key = Linear(memory_size, query_size)
        self.weigh = Linear(query_size, 1, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        together = self.query(queries).unsqueeze(2) + keys.unsqueeze(1)  # (B, Q, S, A)
        return self.weigh(together.tanh()).squeeze(3)


ATTENTIONS: dict[str, type[Attention]] = {"additive": Additive, "dot": Dot, "general": General}


def make_attention(kind: str, memory_size: int, query_size: int) -> Attention:
    """Attention of a kind of ``ATTENTIONS`` over a memory (B, S, ``memory_size``) for queries (B, Q, ``query_size``).

    Raises:
        ValueError: for another kind, or widths that it cannot compare.
    """
    if not isinstance(kind, str) or kind not in ATTENTIONS:
        raise ValueError(f"attention must be one of {sorted(ATTENTIONS)} or None, not {shown(kind)}")
    return ATTENTIONS[kind](memory_size, query_size)


def remember(values: Tensor, lengths: Tensor | None, summary: Tensor, attention: Attention | None) -> Memory:
    """The memory of sources ``values`` (B, S, E) with ``lengths`` (B,) real steps; without attention just the summary."""
    if attention is None:
        nothing = values[:, :0]
        return Memory(nothing, nothing, None, summary)
    real = None if lengths is None else length_mask(lengths.to(values.device), values.shape[1])
    return Memory(values, attention.keys(values), real, summary)
