"""Random inputs of a model: examples for a trace, and what a graph is compared on.

Shapes: B rows, T steps, F features.
"""

from typing import Any

import torch
from torch import Tensor

from ..models import Model

CHARACTERS = 5
"""Characters of a word that is drawn."""


def draw(model: Model, rows: int, several: int, seed: int = 0, *, garbage: bool = False) -> tuple[Tensor, Tensor]:
    """Inputs of so many ``rows``, and lengths, the first of them the longest: ``several`` times the fewest steps that ``model``
    can go on by. Behind each row's length is ``garbage``, or nothing."""
    generator = torch.Generator().manual_seed(seed)
    least, unit = steps_of(model)
    counts = torch.randint(several, (rows,), generator=generator)
    counts[0] = several - 1
    lengths = least + unit * counts
    steps = least + unit * (several - 1)
    inputs = _inputs(model, rows, steps, generator)
    padding = torch.arange(steps) >= lengths.unsqueeze(1)
    behind = padding.view(rows, steps, *[1] * (inputs.dim() - 2))
    return inputs.masked_fill(behind, 0 if not garbage else 1e30 if inputs.is_floating_point() else 1), lengths


def steps_of(model: Any) -> tuple[int, int]:
    """The fewest steps that ``model`` reads, and by how many it may read more."""
    horizon = model.horizon if getattr(model, "known", 0) else 0
    unit = getattr(model, "segment", 1)
    return horizon + unit * max(1, -(-getattr(model, "highway", 0) // unit)), unit


def _inputs(model: Any, rows: int, steps: int, generator: torch.Generator) -> Tensor:
    shape, size = (rows, steps), model.vocab_size
    if size is not None and getattr(model, "num_tags", None) is not None:
        words = torch.randint(size, (*shape, 1), generator=generator)
        most = 2 if model.spelling is None else model.spelling.vocab_size
        return torch.cat([words, torch.randint(most, (*shape, CHARACTERS), generator=generator)], 2)
    if size is not None:
        return torch.randint(size, shape, generator=generator)
    buffers = dict(model.named_buffers())
    mean, scale = (buffers.get(f"standardize.{name}", buffers.get(f"embedding.{name}")) for name in ("mean", "scale"))
    drawn = torch.randn(*shape, model.input_size, generator=generator)
    return drawn if mean is None or scale is None else drawn / scale + mean
