"""One vector for a whole sequence: the last output of a network, or the mean, the maximum or a weighted mean of all.

Shapes: B rows, T steps, H features of the network's outputs.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import shown
from ..products import Linear
from ..recurrent import Recurrent
from ..recurrent.contract import fits
from ..registry import choose
from ..sequences import State, at_least_single, fill_padding, last_outputs


class Pooling(nn.Module, ABC):
    """Pooling over the real steps of each row; a row without a step gives zeros."""

    def __init__(self, size: int) -> None:
        """Pool outputs of ``size`` H."""
        super().__init__()

    @abstractmethod
    def forward(self, network: Recurrent, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """What ``network`` makes of ``inputs`` (B, T, F), pooled (B, H), and the state to read on from.

        Raises:
            ValueError: for a state that is not one of these.
        """


class LastPooling(Pooling):
    """The last real output; of a network that reads both ways, that at either end. The state is the network's own."""

    def forward(self, network: Recurrent, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        outputs, after = network(inputs, lengths, state)
        return last_outputs(outputs, lengths, bidirectional=network.bidirectional), after


class RunningPooling(Pooling):
    """Pooling over all steps so far. A state is (the network's, what is kept of the steps before): the pause in a row that is
    read in two goes changes nothing. What is kept begins with zeros."""

    kept: tuple[int | None, ...]
    """The widths of the tensors that are kept; ``None``: H."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.form = tuple(torch.Size([size if width is None else width]) for width in self.kept)

    def forward(self, network: Recurrent, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        before, kept = (None, None) if state is None else self.parts(state, inputs.shape[0])
        outputs, after = network(inputs, lengths, before)
        outputs = at_least_single(outputs)
        kept = tuple(outputs.new_zeros(outputs.shape[0], *size) for size in self.form) if kept is None else kept
        pooled, kept = self.pool(outputs, lengths, kept)
        return pooled, (after, kept)

    def parts(self, state: State, rows: int) -> tuple[State, Any]:
        """The two parts of a ``state``."""
        if not isinstance(state, tuple) or len(state) != 2 or not fits(state[1], self.form, rows):
            raise ValueError(f"state must be one that this model has made of {rows} rows, not {shown(state)}")
        return state

    @abstractmethod
    def pool(self, outputs: Tensor, lengths: Tensor | None, kept: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The pooled vector (B, H) of ``outputs`` (B, T, H) and of the steps before, and what is ``kept`` of all these."""


class MeanPooling(RunningPooling):
    """The mean; kept are the sum (B, H) and the number of steps (B, 1)."""

    kept = (None, 1)

    def pool(self, outputs: Tensor, lengths: Tensor | None, kept: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        total, count = kept[0] + outputs.sum(1), kept[1] + counts(outputs, lengths)
        return total / count.clamp(min=1), (total, count)


class MaxPooling(RunningPooling):
    """The maximum of each feature (Collobert et al. 2011, arXiv:1103.0398, section 3.2.2); kept are it (B, H) and the number of
    steps (B, 1)."""

    kept = (None, 1)

    def pool(self, outputs: Tensor, lengths: Tensor | None, kept: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        lowest, count = torch.finfo(outputs.dtype).min, kept[1] + counts(outputs, lengths)
        before = kept[0].masked_fill(kept[1] == 0, lowest).unsqueeze(1)
        highest = torch.cat([before, fill_padding(outputs, lengths, lowest)], 1).amax(1).masked_fill(count == 0, 0)
        return highest, (highest, count)


class AttentionPooling(RunningPooling):
    """The mean with weights softmax(v . tanh(W h + b)) over the steps (Yang et al. 2016, "Hierarchical attention networks for
    document classification", equations 5 to 7).

    Kept are the sums of exp(score - s) h (B, H) and of exp(score - s) (B, 1), and the highest score s (B, 1).
    """

    kept = (None, 1, 1)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.project, self.weigh = Linear(size, size), Linear(size, 1, bias=False)

    def pool(self, outputs: Tensor, lengths: Tensor | None, kept: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        total, weight, top = kept
        scores = at_least_single(self.weigh(self.project(outputs).tanh()).squeeze(2))  # (B, T)
        scores = fill_padding(scores, lengths, torch.finfo(scores.dtype).min)
        before = top.masked_fill(weight == 0, torch.finfo(scores.dtype).min)
        top = torch.cat([before, scores], 1).detach().amax(1, keepdim=True)
        old, new = (before - top).exp(), fill_padding((scores - top).exp(), lengths)
        total = old * total + torch.bmm(new.unsqueeze(1), outputs).squeeze(1)
        weight = old * weight + new.sum(1, keepdim=True)  # 1 at least, but for a row without a step
        return total / weight.clamp(min=1), (total, weight, top.masked_fill(weight == 0, 0))


def counts(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """The real steps (B, 1) of ``outputs`` (B, T, H), in their type."""
    if lengths is None:
        return outputs.new_full((outputs.shape[0], 1), outputs.shape[1])
    return lengths.to(outputs).unsqueeze(1)


POOLINGS: dict[str, type[Pooling]] = {
    "attention": AttentionPooling,
    "last": LastPooling,
    "max": MaxPooling,
    "mean": MeanPooling,
}


def make_pooling(kind: str, size: int) -> Pooling:
    """The pooling of a ``kind`` of `POOLINGS` over outputs of ``size`` H.

    Raises:
        ValueError: for another kind.
    """
    return choose("pooling", POOLINGS, kind)(size)
