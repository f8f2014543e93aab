"""What windows of series are brought to before they are read, and how they are cut.

Shapes: N or B rows, T steps, K series, C features, Q quantiles, W last steps, H next steps, S steps of a segment.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..sequences import fill_padding

SMALLEST = 1e-5
"""Added to the variance of a window, which may be constant."""


class Level(NamedTuple):
    """Where each window lies: ``base`` and ``spread`` (N, 1, K)."""

    base: Tensor
    spread: Tensor

    def leave(self, values: Tensor) -> Tensor:
        """``values`` (N, T, K) less the base, divided by the spread."""
        return (values - self.base) / self.spread

    def enter(self, values: Tensor) -> Tensor:
        """``values`` (N, T, K, Q) brought back."""
        return values * self.spread.unsqueeze(3) + self.base.unsqueeze(3)


def no_level(window: Tensor, lengths: Tensor | None) -> Level:
    """The values of ``window`` (N, T, K) as they are."""
    base = window.new_zeros(window.shape[0], 1, window.shape[2])
    return Level(base, torch.ones_like(base))


def last_level(window: Tensor, lengths: Tensor | None) -> Level:
    """Less the last real value of each row."""
    base = last_values(window, lengths, 1)
    return Level(base, torch.ones_like(base))


def mean_level(window: Tensor, lengths: Tensor | None) -> Level:
    """Less the mean of the real values of each row, divided by their deviation."""
    counts = torch.full((window.shape[0],), window.shape[1]) if lengths is None else lengths
    counts = counts.to(window.device).clamp(min=1).view(-1, 1, 1)
    base = fill_padding(window, lengths).sum(1, keepdim=True) / counts
    variance = fill_padding((window - base).square(), lengths).sum(1, keepdim=True) / counts
    return Level(base, (variance + SMALLEST).sqrt())


LEVELS: dict[str, Callable[[Tensor, Tensor | None], Level]] = {"none": no_level, "last": last_level, "mean": mean_level}
"""What a window can be brought to, by name."""


def last_values(window: Tensor, lengths: Tensor | None, count: int) -> Tensor:
    """The last ``count`` real steps (N, ``count``, C) of each row of ``window`` (N, T, C), zeros before a shorter row."""
    padded = torch.nn.functional.pad(window, (0, 0, count, 0))  # (N, W + T, C)
    if lengths is None:
        return padded[:, -count:]
    steps = lengths.to(window.device).unsqueeze(1) + torch.arange(count, device=window.device)  # (N, W)
    return padded.gather(1, steps.unsqueeze(2).expand(-1, -1, window.shape[2]))


def check_context(features: Tensor, lengths: Tensor | None, horizon: int) -> None:
    """Refuse ``features`` (B, T, C) of which a row has no more steps than those of the ``horizon``, known in advance.

    Raises:
        ValueError: saying how many it has.
    """
    if not features.shape[1]:
        raise ValueError("a window must have a step or more, to go on from, not 0")
    least = features.shape[1] if lengths is None or not len(lengths) else int(lengths.min())
    if horizon and least <= horizon:
        raise ValueError(f"a row has {least} steps: it must have more than the {horizon} of the horizon, known in advance")


def segments(window: Tensor, lengths: Tensor | None, size: int) -> tuple[Tensor, Tensor | None]:
    """Each ``size`` steps of ``window`` (N, T, C) as one, (N, T / S, S C), and the lengths in segments.

    Raises:
        ValueError: where a length is no multiple of ``size``.
    """
    if size == 1:
        return window, lengths
    if not torch.compiler.is_exporting():
        several = torch.tensor([window.shape[1]]) if lengths is None else lengths
        if len(wrong := several[several % size != 0]):
            raise ValueError(f"a context of {int(wrong[0])} steps is no multiple of segment={size}")
    whole = window[:, : window.shape[1] // size * size].unflatten(1, (-1, size)).flatten(2)
    return whole, None if lengths is None else lengths // size


def repeated(values: Tensor, times: int) -> Tensor:
    """Every row of ``values`` (B, ...) so many ``times``, one after the other."""
    return values.repeat_interleave(times, 0)


class Highway(nn.Module):
    """A linear function of each series' last W values to the next H, each with weights of its own, which begin at 0."""

    def __init__(self, series: int, past: int, horizon: int) -> None:
        super().__init__()
        self.past = past
        self.weight = nn.Parameter(torch.zeros(series, past, horizon))
        self.bias = nn.Parameter(torch.zeros(series, 1, horizon))

    def forward(self, window: Tensor, lengths: Tensor | None) -> Tensor:
        """The values (B, H, K) that follow the real steps of ``window`` (B, T, K)."""
        past = last_values(window, lengths, self.past).permute(2, 0, 1)  # (K, B, W)
        return (torch.bmm(past, self.weight) + self.bias).permute(1, 2, 0)
