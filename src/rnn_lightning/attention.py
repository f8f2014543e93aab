"""Attention of a decoder to the steps of a source: additive, dot-product and general; additive with a look at earlier weights.

Shapes: B sources, S steps of the longest, E features of a source step, Q queries a source, D features of a query,
A features of the space in which both are compared, K filters.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .checks import check_counts, shown
from .products import Linear
from .registry import build
from .sequences import length_mask


class Memory(NamedTuple):
    """A batch of encoded sources, the keys and values of attention.

    ``values`` (B, S, E) are averaged by attention, ``keys`` (B, S, A or D) are compared with queries, ``real`` (B, S) is false
    in the padding (``None``: there is none), ``summary`` (B, E) is one vector for a whole source. Of a decoder that copies,
    ``tokens`` (B, S) are those of the sources, and ``size`` is that of the vocabulary with all of them.
    """

    values: Tensor
    keys: Tensor
    real: Tensor | None
    summary: Tensor
    tokens: Tensor | None = None
    size: int = 0

    def of(self, sources: Tensor) -> "Memory":
        """The memory of the ``sources`` (N,) of rows, sorted, each source once; the whole memory where these are all."""
        left = sources.unique_consecutive()
        if len(left) == len(self.values):
            return self
        real, tokens = (None if part is None else part[left] for part in (self.real, self.tokens))
        return Memory(self.values[left], self.keys[left], real, self.summary[left], tokens, self.size)


class Attention(nn.Module, ABC):
    """Attention: a softmax over the steps of a source, and the mean of its values by these weights (Bahdanau et al. 2015,
    arXiv:1409.0473)."""

    def __init__(self, memory_size: int, query_size: int) -> None:
        super().__init__()
        self.memory_size, self.query_size = memory_size, query_size
        self.past: Past | None = None

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """The keys (B, S, A or D) of values (B, S, E), computed once a source."""

    @abstractmethod
    def scores(self, queries: Tensor, keys: Tensor, before: Tensor | None = None) -> Tensor:
        """The scores (B, Q, S) of queries (B, Q, D) against keys (B, S, A or D), before the softmax; ``before`` (B, Q, S) is
        what its `Past` has kept."""

    def forward(self, queries: Tensor, memory: Memory, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The context vectors (B, Q, E) and weights (B, Q, S) of ``queries`` (B, Q, D); both are zero for a source without
        steps."""
        scores = self.scores(queries, memory.keys, before)
        if memory.real is None:
            weights = scores.softmax(-1)
        else:
            padding = ~memory.real.unsqueeze(1)  # (B, 1, S)
            # The lowest number instead of -inf, which would make a source without steps NaN.
            weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
        return torch.bmm(weights, memory.values), weights


class Past(nn.Module, ABC):
    """What an attention keeps (B, Q, S) of the weights of earlier steps, and what that adds before its tanh. A decoder keeps it
    for each row, and goes step by step; before the first step it is zero."""

    @abstractmethod
    def after(self, before: Tensor, weights: Tensor) -> Tensor:
        """What is kept after a step with these ``weights`` (B, Q, S)."""

    @abstractmethod
    def forward(self, before: Tensor) -> Tensor:
        """What is added (B, Q, S, A)."""


class Location(Past):
    """Location-aware: U (F * a), a convolution of the last weights a with K filters of ``width`` steps (Chorowski et al. 2015,
    arXiv:1506.07503, equations 8 and 9)."""

    def __init__(self, size: int, *, filters: int = 10, width: int = 31) -> None:
        super().__init__()
        check_counts(filters=filters, width=width)
        if width % 2 == 0:
            raise ValueError(f"width must be an odd number of steps, around the one that is looked at, not {width}")
        self.filter = nn.Conv1d(1, filters, width, padding=width // 2, bias=False)
        self.enter = Linear(filters, size, bias=False)

    def after(self, before: Tensor, weights: Tensor) -> Tensor:
        return weights

    def forward(self, before: Tensor) -> Tensor:
        filtered = self.filter(before.flatten(0, 1).unsqueeze(1)).transpose(1, 2)  # (B Q, S, K)
        return self.enter(filtered).unflatten(0, before.shape[:2])


class Coverage(Past):
    """Coverage: w c, with the sum c of all earlier weights (See et al. 2017, arXiv:1704.04368, equations 10 and 11)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.enter = Linear(1, size, bias=False)

    def after(self, before: Tensor, weights: Tensor) -> Tensor:
        return before + weights

    def forward(self, before: Tensor) -> Tensor:
        return self.enter(before.unsqueeze(3))


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

    def scores(self, queries: Tensor, keys: Tensor, before: Tensor | None = None) -> Tensor:
        return torch.bmm(queries, keys.transpose(1, 2))


class General(Attention):
    """General attention, q . W m (Luong et al. 2015, arXiv:1508.04025, equation 8)."""

    def __init__(self, memory_size: int, query_size: int) -> None:
        super().__init__(memory_size, query_size)
        self.key = Linear(memory_size, query_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def scores(self, queries: Tensor, keys: Tensor, before: Tensor | None = None) -> Tensor:
        return torch.bmm(queries, keys.transpose(1, 2))


class Additive(Attention):
    """Additive attention, v . tanh(W q + U m + b), compared in D features (Bahdanau et al. 2015, arXiv:1409.0473, appendix
    A.1.2); with a `Past` its sum is added before the tanh."""

    def __init__(self, memory_size: int, query_size: int, past: Past | None = None) -> None:
        super().__init__(memory_size, query_size)
        self.query = Linear(query_size, query_size, bias=False)
        self.key = Linear(memory_size, query_size)
        self.weigh = Linear(query_size, 1, bias=False)
        self.past = past

    def keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def scores(self, queries: Tensor, keys: Tensor, before: Tensor | None = None) -> Tensor:
        together = self.query(queries).unsqueeze(2) + keys.unsqueeze(1)  # (B, Q, S, A)
        if self.past is not None and before is not None:
            together = together + self.past(before)
        return self.weigh(together.tanh()).squeeze(3)


def location(memory_size: int, query_size: int, *, filters: int = 10, width: int = 31) -> Attention:
    """Additive attention with `Location`."""
    return Additive(memory_size, query_size, Location(query_size, filters=filters, width=width))


def coverage(memory_size: int, query_size: int) -> Attention:
    """Additive attention with `Coverage`."""
    return Additive(memory_size, query_size, Coverage(query_size))


ATTENTIONS: dict[str, Callable[..., Attention]] = {
    "additive": Additive,
    "coverage": coverage,
    "dot": Dot,
    "general": General,
    "location": location,
}


def make_attention(kind: str | Mapping[str, Any], memory_size: int, query_size: int) -> Attention:
    """Attention of a kind of ``ATTENTIONS`` over a memory (B, S, ``memory_size``) for queries (B, Q, ``query_size``).

    ``kind`` may have settings: ``{"name": "location", "filters": 10, "width": 31}``.

    Raises:
        ValueError: for another kind, settings that it does not have, or widths that it cannot compare.
    """
    name = kind.get("name") if isinstance(kind, Mapping) else kind
    if not isinstance(name, str) or name not in ATTENTIONS:
        raise ValueError(f"attention must be one of {sorted(ATTENTIONS)} or None, not {shown(name)}")
    if isinstance(kind, Mapping):
        return build("attention", ATTENTIONS, kind, memory_size, query_size)
    return ATTENTIONS[name](memory_size, query_size)


def remember(values: Tensor, lengths: Tensor | None, summary: Tensor, attention: Attention | None) -> Memory:
    """The memory of sources ``values`` (B, S, E) with ``lengths`` (B,) real steps; without attention just the summary."""
    if attention is None:
        nothing = values[:, :0]
        return Memory(nothing, nothing, None, summary)
    real = None if lengths is None else length_mask(lengths.to(values.device), values.shape[1])
    return Memory(values, attention.keys(values), real, summary)
