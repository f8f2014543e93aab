"""The words every room shares: states, batches, and what is real in a padded batch.

Shapes: B rows of a batch, T steps, F features of a step. Everything is batch-first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = Tensor | tuple[Any, ...]
"""A tensor (B, ...), or a tuple of states (which a type checker cannot be told)."""

IGNORED = -100
"""A class target that no loss and no metric counts (PyTorch's own convention)."""

PADDING = 0
"""The character that fills a word up to the longest of its batch."""


class Batch(NamedTuple):
    """What every data module yields and every system reads.

    ``inputs`` is (B, T) of tokens, (B, T, 1 + C) of words with their spelling (the word, then its characters, filled up with
    `PADDING`) or (B, T, F) of features, ``lengths`` (B,) counts the real steps of each row (``None``:
    all T of them). ``targets`` is what the system's task asks for: (B, T), (B, U) or (B,); ``target_lengths`` counts the
    real targets of a row where that differs from ``lengths``. ``fresh`` (B,) is true where a row begins a new document,
    so that no state may be carried into it (``None``: the system's own rule holds).
    """

    inputs: Tensor
    lengths: Tensor | None
    targets: Tensor
    target_lengths: Tensor | None = None
    fresh: Tensor | None = None


def map_state(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """The same structure with ``function`` applied to each tensor, and to the tensors at its place in the ``others``."""
    if isinstance(state, Tensor):
        return function(state, *others)
    return tuple(map_state(function, *parts) for parts in zip(state, *others, strict=True))


def leaves(state: State) -> list[Tensor]:
    """The tensors of ``state``, in order."""
    return [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in leaves(part)]


def select_state(mask: Tensor, chosen: State, other: State) -> State:
    """Rows of ``chosen`` where ``mask`` (B,) is true, rows of ``other`` elsewhere."""
    return map_state(lambda one, two: torch.where(mask.view(-1, *[1] * (one.dim() - 1)), one, two), chosen, other)


def length_mask(lengths: Tensor, steps: int) -> Tensor:
    """A mask (B, ``steps``), true on the first ``lengths[b]`` steps of row b."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def fill_padding(inputs: Tensor, lengths: Tensor | None, value: float = 0) -> Tensor:
    """``inputs`` (B, T, ...) with ``value`` behind each row's length; without lengths nothing is padding."""
    if lengths is None:
        return inputs
    padding = ~length_mask(lengths.to(inputs.device), inputs.shape[1])  # (B, T)
    return inputs.masked_fill(padding.view(*padding.shape, *[1] * (inputs.dim() - 2)), value)


def check_lengths(lengths: Tensor, inputs: Tensor) -> None:
    """Refuse lengths that do not describe ``inputs`` (B, T, ...).

    Raises:
        ValueError: where the lengths are no integers, are not one a row, or lie outside 0..T.
    """
    rows, steps = inputs.shape[:2]
    if lengths.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"lengths must be int64 or int32, not {lengths.dtype}")
    if lengths.shape != (rows,):
        raise ValueError(f"lengths must have shape ({rows},), one a row, not {tuple(lengths.shape)}")
    wrong = ((lengths < 0) | (lengths > steps)).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"lengths[{row}] is {int(lengths[row])}; it must lie in 0..{steps}, the steps of the batch")


def reverse(inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Each row of ``inputs`` (B, T, ...) backwards over its own real steps; padding stays where it is."""
    if lengths is None:
        return inputs.flip(1)
    steps = torch.arange(inputs.shape[1], device=inputs.device).unsqueeze(0)  # (1, T)
    lengths = lengths.to(inputs.device).unsqueeze(1)  # (B, 1)
    index = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (B, T)
    return inputs.gather(1, index.view(*index.shape, *[1] * (inputs.dim() - 2)).expand_as(inputs))


def last_outputs(outputs: Tensor, lengths: Tensor | None, *, bidirectional: bool) -> Tensor:
    """What a network has read at the end of each row: its last real output of ``outputs`` (B, T, H), as (B, H).

    Of a network that reads both ways, whose outputs stand side by side, the backward half is its output at the first step.
    An empty row gives zeros.
    """
    if lengths is None:
        last = outputs[:, -1]
    else:
        index = (lengths.to(outputs.device) - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
        last = outputs.gather(1, index).squeeze(1)
    if not bidirectional:
        return last
    half = outputs.shape[2] // 2
    return torch.cat([last[:, :half], outputs[:, 0, half:]], 1)


def check_counts(*, least: float = 1, **counts: float) -> None:
    """Refuse a number below ``least``, by its name.

    Raises:
        ValueError: naming the first such number.
    """
    for name, count in counts.items():
        if not count >= least:  # so that NaN is refused
            raise ValueError(f"{name} must be at least {least}, not {count}")
