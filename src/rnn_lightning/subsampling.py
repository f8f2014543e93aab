"""Subsampling in time: a strided convolution, or those of pictures, before a recurrent network, which reads fewer steps.

Shapes: B rows, T steps, F features, G features after it, k steps that a window sees, s steps of the stride.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_counts, shown
from .exporting import exportable
from .pictures import PictureSubsampling
from .registry import build
from .sequences import State, check_lengths, check_memory, length_mask


class Subsampling(nn.Module):
    """A causal convolution in time with stride s and a ReLU: one step out of s, max(0, W * window + b).

    A window of k steps ends with the last of its s steps and sees nothing ahead of them, so that reading may pause after any
    multiple of s: the last k - s steps are its state. Behind a row's end it sees zeros.
    """

    causal = True

    def __init__(self, input_size: int, *, channels: int, stride: int = 2, kernel: int = 5) -> None:
        """``channels`` is G, ``stride`` s, ``kernel`` k.

        Raises:
            ValueError: for a size below 1, or a kernel that would leave steps out.
        """
        super().__init__()
        check_counts(input_size=input_size, channels=channels, stride=stride)
        check_counts(least=stride, kernel=kernel)
        check_memory(input_size=input_size, channels=channels, kernel=kernel)
        self.input_size, self.output_size, self.stride, self.kept = input_size, channels, stride, kernel - stride
        self.convolution = nn.Conv1d(input_size, channels, kernel, stride)

    def start(self, inputs: Tensor) -> Tensor:
        """The state before the first step (B, k - s, F)."""
        return inputs.new_zeros(inputs.shape[0], self.kept, self.input_size)

    def steps(self, lengths: Tensor) -> Tensor:
        """The number of steps after subsampling, ceil(length / s), for each of ``lengths``."""
        return (lengths + self.stride - 1) // self.stride

    def forward(self, inputs: Tensor, lengths: Tensor | None, tail: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Subsample ``inputs`` (B, T, F) to (B, T / s, G), zero behind each length; the new lengths; the state after them."""
        if lengths is not None:
            if not torch.compiler.is_exporting():
                check_lengths(lengths, inputs)
            inputs = inputs.masked_fill(~length_mask(lengths.to(inputs.device), inputs.shape[1]).unsqueeze(2), 0)
        read = torch.cat([tail, inputs], 1)  # (B, k - s + T, F)
        ends = (
            torch.full((inputs.shape[0],), inputs.shape[1], device=inputs.device)
            if lengths is None
            else lengths.to(inputs.device)
        )
        behind = ends.view(-1, 1, 1) + torch.arange(self.kept, device=inputs.device).view(1, -1, 1)
        after = read.gather(1, behind.expand(-1, -1, self.input_size))
        if inputs.shape[1] == 0:
            return inputs.new_zeros(inputs.shape[0], 0, self.output_size), lengths, after
        # Either gives ceil(T / s) steps; what is exported has no T yet.
        missing = self.stride - 1 if torch.compiler.is_exporting() else -inputs.shape[1] % self.stride
        full = F.pad(read, (0, 0, 0, missing))
        outputs = exportable(self.convolution(full.transpose(1, 2)).relu().transpose(1, 2))
        if lengths is None:
            return outputs, None, after
        left = self.steps(lengths)
        return outputs.masked_fill(~length_mask(left.to(outputs.device), outputs.shape[1]).unsqueeze(2), 0), left, after


AnySubsampling: TypeAlias = Subsampling | PictureSubsampling
PLAIN = "convolution"
SUBSAMPLINGS = {PLAIN: Subsampling, "pictures": PictureSubsampling}
"""The kinds of subsampling by name; settings without a name are those of `Subsampling`."""


def make_subsampling(input_size: int, settings: dict[str, Any] | None) -> AnySubsampling | None:
    """One of `SUBSAMPLINGS` with the keyword arguments ``settings``; none where these are ``None``.

    Raises:
        ValueError: for a name that there is not, or a key or a size that it does not have.
    """
    if settings is None:
        return None
    if not isinstance(settings, Mapping):
        raise ValueError(
            f"subsampling must be keywords of Subsampling or of PictureSubsampling, or None, not {shown(settings)}"
        )
    return build("subsampling", SUBSAMPLINGS, {"name": PLAIN, **settings}, input_size)


def check_pauses(subsampling: AnySubsampling | None) -> None:
    """Refuse a ``subsampling`` that sees ahead.

    Raises:
        ValueError: for that of pictures.
    """
    if subsampling is not None and not subsampling.causal:
        raise ValueError(
            "subsampling 'pictures' sees columns ahead, so that reading can neither pause nor go on from a state: give whole "
            "pictures without a state, or take subsampling 'convolution' for streams"
        )


def read_thinned(
    subsampling: AnySubsampling | None, network: nn.Module, features: Tensor, lengths: Tensor | None, state: State | None
) -> tuple[Tensor, State]:
    """What ``network`` makes of the steps that ``subsampling`` leaves of ``features`` (B, T, F), and the state of both.

    A network that reads one way may read on from a state; with subsampling, after a multiple of its stride.

    Raises:
        ValueError: for a state before a subsampling that sees ahead.
    """
    if subsampling is None:
        return network(features, lengths, state)
    if state is not None:
        check_pauses(subsampling)
    tail, before = (subsampling.start(features), None) if state is None else state
    features, lengths, tail = subsampling(features, lengths, tail)
    hidden, inner = network(features, lengths, before)
    return hidden, (tail, inner)


def steps_left(subsampling: AnySubsampling | None, inputs: Tensor, lengths: Tensor | None) -> Tensor:
    """The steps (B,) that ``subsampling`` leaves of ``lengths``, or of all steps of ``inputs`` (B, T, ...)."""
    if lengths is None:
        lengths = torch.full((len(inputs),), inputs.shape[1])
    return lengths if subsampling is None else subsampling.steps(lengths)
