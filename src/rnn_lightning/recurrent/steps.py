"""The rows of a batch step by step, without any padding: how layers with compiled steps read it.

Without lengths all steps have all rows, and time comes first: (T, B, F). With lengths there are the N real steps of all rows
alone, (N, F): those at time 0, of the longest row first, then those at time 1, and so on, as in PyTorch's ``PackedSequence``.

Shapes: B rows of a batch, T steps, N real steps of all rows, R rows with any step, F features.
"""

from abc import ABC, abstractmethod
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

CHUNK = 256
"""The steps of all rows that a chunk has at least, where there are so many."""


class Steps(ABC):
    """The steps of a batch: how many rows each one has, where they are, and where chunks of steps begin and end.

    ``counts`` are the rows of each step, none more than those of the step before; ``begins`` are the places of its first row
    among all rows of all steps, with the place after the last one.
    """

    def __init__(self, counts: list[int]) -> None:
        self.counts, self.begins = counts, [0, *accumulate(counts)]
        ends, last = [0], 0
        for time, begin in enumerate(self.begins):
            if begin - self.begins[last] >= CHUNK or (time == len(counts) > last):
                ends.append(time)
                last = time
        self.chunks = [slice(begin, end) for begin, end in pairwise(ends)]
        self.widest = max((self.begins[part.stop] - self.begins[part.start] for part in self.chunks), default=0)
        """The most rows of a chunk."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """That of a tensor of all steps, but for its features."""

    @abstractmethod
    def pack(self, padded: Tensor) -> Tensor:
        """A batch (B, T, F) in the order of the steps."""

    @abstractmethod
    def unpack(self, packed: Tensor) -> Tensor:
        """The batch (B, T, F) again, with zeros in the padding."""

    @abstractmethod
    def turned(self, packed: Tensor) -> Tensor:
        """Each row backwards, from its last step to its first."""

    @abstractmethod
    def first(self, state: Tensor) -> Tensor:
        """A state (B, F) before the first step, of the R rows that are read, in their order."""

    @abstractmethod
    def last(self, states: Tensor, start: Tensor) -> Tensor:
        """Of states after each step those after each row's last one, (B, F); a row without steps has that at the ``start``."""

    @abstractmethod
    def part(self, packed: Tensor, chunk: slice) -> Tensor:
        """All rows of some steps: (rows, F), contiguous."""

    @abstractmethod
    def write(self, packed: Tensor, chunk: slice, rows: Tensor) -> None:
        """Write all ``rows`` of some steps."""

    @abstractmethod
    def before(self, states: Tensor, chunk: slice) -> Tensor:
        """Of states after each step those before the steps of a chunk, without the rows at time 0: (rows, F)."""


class EvenSteps(Steps):
    """T steps of B rows each."""

    def __init__(self, rows: int, steps: int) -> None:
        super().__init__([rows] * steps)
        self._shape = steps, rows

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    def pack(self, padded: Tensor) -> Tensor:
        return padded.transpose(0, 1)

    def unpack(self, packed: Tensor) -> Tensor:
        return packed.transpose(0, 1)

    def turned(self, packed: Tensor) -> Tensor:
        return packed.flip(0)

    def first(self, state: Tensor) -> Tensor:
        return state

    def last(self, states: Tensor, start: Tensor) -> Tensor:
        return states[-1] if len(states) else start

    def part(self, packed: Tensor, chunk: slice) -> Tensor:
        return dense(packed[chunk]).flatten(0, 1)

    def write(self, packed: Tensor, chunk: slice, rows: Tensor) -> None:
        packed[chunk] = rows.unflatten(0, (chunk.stop - chunk.start, self.shape[1]))

    def before(self, states: Tensor, chunk: slice) -> Tensor:
        return self.part(states, slice(max(chunk.start - 1, 0), chunk.stop - 1))


class UnevenSteps(Steps):
    """The real steps of rows of unlike ``lengths`` (B,), of which none is more than ``steps``, T."""

    def __init__(self, lengths: Tensor, steps: int) -> None:
        lengths, order = lengths.long().sort(descending=True, stable=True)
        longest = int(lengths[:1].sum())
        real = torch.arange(longest).unsqueeze(1) < lengths  # (longest, B)
        super().__init__(real.sum(1).tolist())
        time, row = real.nonzero(as_tuple=True)
        begins, self._padded_shape = torch.tensor(self.begins), (len(lengths), steps)
        self._rows = order[: sum(self.counts[:1])]
        self._places, self._turned = order[row] * steps + time, begins[lengths[row] - 1 - time] + row
        read = torch.arange(len(self._rows))
        self._last = begins[lengths[read] - 1] + read
        self._before = (begins[time - 1] + row)[len(read) :]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.begins[-1],)

    def pack(self, padded: Tensor) -> Tensor:
        return _taken(padded.flatten(0, 1), self._places)

    def unpack(self, packed: Tensor) -> Tensor:
        rows, steps = self._padded_shape
        whole: Any = _Put.apply(packed, self._places, rows * steps)
        return whole.unflatten(0, self._padded_shape)

    def turned(self, packed: Tensor) -> Tensor:
        return _taken(packed, self._turned)

    def first(self, state: Tensor) -> Tensor:
        return _taken(state, self._rows)

    def last(self, states: Tensor, start: Tensor) -> Tensor:
        return start.index_copy(0, self._rows, _taken(states, self._last))

    def part(self, packed: Tensor, chunk: slice) -> Tensor:
        return dense(packed[self.begins[chunk.start] : self.begins[chunk.stop]])

    def write(self, packed: Tensor, chunk: slice, rows: Tensor) -> None:
        packed[self.begins[chunk.start] : self.begins[chunk.stop]] = rows

    def before(self, states: Tensor, chunk: slice) -> Tensor:
        at_first = self.begins[1]
        begin, end = (max(self.begins[time] - at_first, 0) for time in (chunk.start, chunk.stop))
        return states.index_select(0, self._before[begin:end])


def steps_of(inputs: Tensor, lengths: Tensor | None) -> Steps:
    """The steps of a batch of ``inputs`` (B, T, F)."""
    rows, steps = inputs.shape[:2]
    return EvenSteps(rows, steps) if lengths is None else UnevenSteps(lengths.cpu(), steps)


def dense(tensor: Tensor) -> Tensor:
    """The numbers of a ``tensor`` as they stand in memory one after the other."""
    return tensor.resolve_neg().contiguous()


class _Take(Function):
    """The rows of a tensor (N, F) at each ``index``, none twice, as `torch.index_select` cannot know."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.index, ctx.count = index, len(rows)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        return _Put.apply(grad_outputs[0], ctx.index, ctx.count), None


class _Put(Function):
    """A tensor of ``count`` rows with those given at each ``index``, and zeros elsewhere."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, count: int) -> Tensor:
        ctx.index = index
        return rows.new_zeros(count, rows.shape[1]).index_copy_(0, index, rows)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        return _Take.apply(grad_outputs[0], ctx.index), None, None


def _taken(rows: Tensor, index: Tensor) -> Tensor:
    found: Any = _Take.apply(rows, index)
    return found
