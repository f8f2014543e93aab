"""Subsampling of pictures: convolutions over height and time before a recurrent network, which then reads fewer columns.

Lines of handwriting as in Puigcerver, "Are Multidimensional Recurrent Layers Really Necessary for Handwritten Text
Recognition?", ICDAR 2017.

Shapes: B rows, T steps (columns of a picture), F features (its height), C channels, H pixels of a column, h and t pixels of
a window of pooling in height and time.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_counts, shown
from .exporting import exportable
from .sequences import check_lengths, check_memory, fill_padding

KERNEL = 3
"""Pixels of a side of each convolution."""


class PictureBlock(nn.Conv2d):
    """A convolution of 3 x 3 pixels, normalisation, LeakyReLU, and the maximum of each window of h x t pixels.

    Each column is normalised by itself, over its channels and pixels (layer normalisation; Ba et al. 2016, arXiv:1607.06450),
    and has a gain and a shift for each channel. The batch normalisation of the paper would mix rows, and would see padding.
    """

    def __init__(self, channels_in: int, channels: int, pool: tuple[int, int], uses_per_step: int) -> None:
        """``pool`` is (h, t); ``uses_per_step`` how often a step that is left multiplies by each weight."""
        super().__init__(channels_in, channels, KERNEL, padding=KERNEL // 2)
        self.gain, self.shift = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.pool, self.uses_per_step = pool, uses_per_step

    def forward(self, columns: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:  # type: ignore[override]
        """``columns`` (B, T, C, H), zero behind each length, to (B, ceil(T / t), C', ceil(H / h)), and the new lengths.

        A window at the end of a picture takes the maximum of what is real in it.
        """
        found = exportable(super().forward(columns.transpose(1, 2)).transpose(1, 2))  # (B, T, C', H)
        normal = F.layer_norm(found, found.shape[2:]) * self.gain.unsqueeze(1) + self.shift.unsqueeze(1)
        active = fill_padding(F.leaky_relu(normal), lengths, -torch.inf).transpose(1, 2)
        high, wide = self.pool
        pooled = F.max_pool2d(F.pad(active, (0, high - 1, 0, wide - 1), value=-torch.inf), (wide, high))
        if lengths is not None:
            lengths = (lengths + wide - 1) // wide
        return fill_padding(exportable(pooled.transpose(1, 2)), lengths), lengths


class PictureSubsampling(nn.Module):
    """Blocks of `PictureBlock` over the picture whose columns are the steps: one step out of s, the product of all t.

    A step that is left has the channels of the last block at each pixel of the height that is left. The convolutions see
    columns ahead, so that reading cannot pause. Outside of a picture, also behind a row's end, they see zeros.
    """

    causal = False

    def __init__(self, input_size: int, *, channels: Sequence[int], pool: Sequence[Sequence[int]]) -> None:
        """``input_size`` is F, ``channels`` has the C of each block and ``pool`` its [h, t].

        Raises:
            ValueError: for a size below 1, or a block without both.
        """
        super().__init__()
        check_counts(input_size=input_size)
        pools = _checked(channels, pool)
        self.input_size, self.stride, height, before = input_size, 1, input_size, 1
        for _, wide in pools:
            self.stride *= wide
        self.blocks, left = nn.ModuleList(), self.stride
        for size, (high, wide) in zip(channels, pools, strict=True):
            check_memory(channels_before=before, channels=size, kernel=KERNEL * KERNEL)
            self.blocks.append(PictureBlock(before, size, (high, wide), uses_per_step=height * left))
            before, height, left = size, -(-height // high), left // wide
        self.output_size = before * height

    def start(self, inputs: Tensor) -> Tensor:
        """The state before the first step, which holds nothing: (B, 0, F)."""
        return inputs.new_zeros(inputs.shape[0], 0, self.input_size)

    def steps(self, lengths: Tensor) -> Tensor:
        """The number of steps after subsampling, ceil(length / s), for each of ``lengths``."""
        return (lengths + self.stride - 1) // self.stride

    def forward(self, inputs: Tensor, lengths: Tensor | None, tail: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Subsample ``inputs`` (B, T, F) to (B, ceil(T / s), C H), zero behind each length; the new lengths; the ``tail``."""
        if lengths is not None and not torch.compiler.is_exporting():
            check_lengths(lengths, inputs)
        if inputs.shape[1] == 0:
            return inputs.new_zeros(inputs.shape[0], 0, self.output_size), lengths, tail
        columns = fill_padding(inputs, lengths).unsqueeze(2)  # (B, T, 1, F)
        for block in self.blocks:
            columns, lengths = block(columns, lengths)
        return exportable(columns.flatten(2)), lengths, tail


def _checked(channels: Any, pool: Any) -> list[tuple[int, int]]:
    """The ``pool`` of each block, as many as ``channels``."""
    if not isinstance(channels, Sequence) or isinstance(channels, str) or not channels:
        raise ValueError(f"channels must be a list of one number or more, one a block, not {shown(channels)}")
    for size in channels:
        check_counts(channels=size)
    listed = list(pool) if isinstance(pool, Sequence) and not isinstance(pool, str) else []
    pairs = [one for one in listed if isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 2]
    if len(listed) != len(channels) or len(pairs) != len(listed):
        raise ValueError(f"pool must have [height, time] for each of {len(channels)} blocks, not {shown(pool)}")
    for high, wide in pairs:
        check_counts(pool_height=high, pool_time=wide)
    return [(high, wide) for high, wide in pairs]
