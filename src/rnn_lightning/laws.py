"""The laws of reading padded batches: invariances of every network here, and one call that checks them.

Shapes: B rows, T steps, F features, C scores of a sequence.
"""

import copy
import math
from collections.abc import Callable
from itertools import zip_longest
from typing import TypeAlias

import torch
from torch import Tensor, nn

from .checks import check_number, shown
from .sequences import State, check_lengths, check_tensors, leaves, length_mask, map_state

Reading: TypeAlias = tuple[Tensor, State]
"""The outputs of a batch and the state after it; itself a State."""

MORE_PADDING = 3


class LawBroken(AssertionError):
    """A network whose result depends on what must not matter: padding, the order of rows, a pause."""


def check_invariance(
    system: nn.Module, *, inputs: Tensor | None = None, lengths: Tensor | None = None, tolerance: float = 1e-10
) -> dict[str, float]:
    """Check the laws of reading on a copy of ``system``, in double precision and evaluation mode; ``system`` is not touched.

    Outputs of three dimensions (B, T, ...) are taken for one a step and compared on the real steps; outputs of two (B, C)
    for one a sequence, of which the law of two goes compares the state alone, since they may be made of all the steps.

    Args:
        system: anything with ``forward(inputs, lengths, state) -> (outputs, state)``: a Recurrent, or a task's system.
        inputs: (B, T) tokens or (B, T, F) features, at least two rows and two steps; needed where ``system`` has
            neither a ``vocab_size`` nor an ``input_size`` to draw them by.
        lengths: (B,) the real steps of each row; spread from 1 to T where none are given.
        tolerance: the largest difference that rounding may explain.

    Returns:
        Each law with the worst difference it met; "two goes read as one" is missing for a network that also reads backwards.

    Raises:
        LawBroken: naming each law that is broken, its worst difference, and the tolerance; or a state not batch-first.
        ValueError: for inputs that are missing or too small to tell, lengths that do not fit them, or a system that makes
            fewer steps than it reads, by subsampling.
    """
    check_number("tolerance", tolerance, least=0)
    inputs = draw_inputs(system) if inputs is None else inputs
    check_tensors(inputs=inputs)
    if inputs.dim() < 2 or min(inputs.shape[:2]) < 2:
        raise ValueError(f"inputs need at least two rows and two steps, not shape {tuple(inputs.shape)}")
    rows, steps = inputs.shape[:2]
    lengths = torch.linspace(1, steps, rows, device=inputs.device).round().long() if lengths is None else lengths
    check_lengths(lengths, inputs)
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    reader = copy.deepcopy(system).double().eval()
    with torch.no_grad():
        whole = read(reader, inputs, lengths)
        check_batch_first(whole[1], rows)
        gaps = {name: law(reader, inputs, lengths, whole) for name, law in laws_of(reader).items()}
    if broken := [f"{name!r} by {gap:.1e}" for name, gap in gaps.items() if gap > tolerance]:
        raise LawBroken(f"{type(system).__name__} breaks {' and '.join(broken)} (tolerance {tolerance:.1e})")
    return gaps


def draw_inputs(system: nn.Module) -> Tensor:
    """Random tokens (5, 7) of the vocabulary that ``system`` reads, or features (5, 7, F) of its width, on its device."""
    if not isinstance(system, nn.Module):
        raise ValueError(f"system must be a torch.nn.Module, not {shown(system)}")
    words, width = getattr(system, "vocab_size", None), getattr(system, "input_size", None)
    draws = torch.Generator().manual_seed(0)
    device = next(system.parameters(), torch.empty(0)).device
    if words is not None:
        return torch.randint(words, (5, 7), generator=draws).to(device)
    if width is None:
        raise ValueError(
            f"{type(system).__name__} has no vocab_size and no input_size to draw inputs by: pass inputs, tokens or features"
        )
    return torch.randn(5, 7, width, generator=draws).to(device)


def read(system: nn.Module, inputs: Tensor, lengths: Tensor | None, before: State | None = None) -> Reading:
    """The outputs and state of ``system`` for a batch; outputs of a step are set to zero in the padding."""
    outputs, state = system(inputs, lengths, before)
    if outputs.dim() > 2 and outputs.shape[1] != inputs.shape[1]:
        raise ValueError(
            f"{type(system).__name__} makes {outputs.shape[1]} steps of {inputs.shape[1]}; "
            "the laws are those of a step for a step: check its network, or a system without subsampling"
        )
    if lengths is not None and outputs.dim() > 2:
        real = length_mask(lengths.to(outputs.device), outputs.shape[1])  # (B, T)
        outputs = outputs.masked_fill(~real.view(*real.shape, *[1] * (outputs.dim() - 2)), 0)
    return outputs, state


def check_batch_first(state: State, rows: int) -> None:
    """Refuse a state whose tensors do not begin with the batch."""
    for leaf in leaves(state):
        if leaf.shape[:1] != (rows,):
            raise LawBroken(f"every tensor of a state must be batch-first, with {rows} rows, not of shape {tuple(leaf.shape)}")


def gap_between(one: State, other: State) -> float:
    """The largest difference of two states; infinite where one holds a NaN or their shapes differ."""
    pairs = list(zip_longest(leaves(one), leaves(other)))
    if any(first is None or second is None or first.shape != second.shape for first, second in pairs):
        return math.inf
    return max((largest_difference(*pair) for pair in pairs), default=0.0)


def largest_difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors of one shape; infinite for a NaN, zero for equal infinities."""
    difference = torch.where(one == other, 0.0, (one.double() - other.double()).abs())
    return difference.nan_to_num(nan=math.inf, posinf=math.inf).max().item() if difference.numel() else 0.0


def garbage(inputs: Tensor) -> Tensor:
    """Bad values for the padding, in the shape of ``inputs``: NaN for features, shuffled tokens for tokens."""
    if inputs.is_floating_point():
        return torch.full_like(inputs, math.nan)  # NaN, since a mask that multiplies would let it through
    shuffled = torch.randperm(inputs.numel(), generator=torch.Generator().manual_seed(0)).to(inputs.device)
    return inputs.flatten()[shuffled].view_as(inputs)


Law: TypeAlias = Callable[[nn.Module, Tensor, Tensor, Reading], float]
"""The largest difference between another form of reading (system, inputs, lengths) and the reading of the whole batch."""


def padding_is_unread(system: nn.Module, inputs: Tensor, lengths: Tensor, whole: Reading) -> float:
    real = length_mask(lengths.to(inputs.device), inputs.shape[1])
    real = real.view(*real.shape, *[1] * (inputs.dim() - 2))
    return gap_between(read(system, torch.where(real, inputs, garbage(inputs)), lengths), whole)


def padding_may_grow(system: nn.Module, inputs: Tensor, lengths: Tensor, whole: Reading) -> float:
    longer = torch.cat([inputs, *[garbage(inputs[:, :1])] * MORE_PADDING], 1)
    outputs, state = read(system, longer, lengths)
    return gap_between((outputs[:, : inputs.shape[1]] if outputs.dim() > 2 else outputs, state), whole)


def rows_may_move(system: nn.Module, inputs: Tensor, lengths: Tensor, whole: Reading) -> float:
    order = torch.arange(len(inputs), device=inputs.device).roll(1).flip(0)
    return gap_between(
        read(system, inputs[order], lengths[order.to(lengths.device)]), map_state(lambda leaf: leaf[order], whole)
    )


def rows_may_part(system: nn.Module, inputs: Tensor, lengths: Tensor, whole: Reading) -> float:
    outputs, state = whole
    gaps = []
    for row, length in enumerate(lengths.tolist()):
        if length == 0:  # a row without steps has no unpadded form
            continue
        index = slice(row, row + 1)
        batched = outputs[index, :length] if outputs.dim() > 2 else outputs[index]
        alone = read(system, inputs[index, :length], None)
        gaps.append(gap_between(alone, (batched, map_state(lambda leaf, index=index: leaf[index], state))))
    return max(gaps, default=0.0)


def reading_may_pause(system: nn.Module, inputs: Tensor, lengths: Tensor, whole: Reading) -> float:
    pause = inputs.shape[1] // 2
    first, state = read(system, inputs[:, :pause], lengths.clamp(max=pause))
    second, state = read(system, inputs[:, pause:], (lengths - pause).clamp(min=0), state)
    if first.dim() == 2:
        return gap_between(state, whole[1])
    return gap_between((torch.cat([first, second], 1), state), whole)


LAWS: dict[str, Law] = {
    "garbage in the padding changes nothing": padding_is_unread,
    "more padding changes nothing": padding_may_grow,
    "the order of the rows changes nothing": rows_may_move,
    "a row alone reads as in its batch": rows_may_part,
    "two goes read as one": reading_may_pause,
}


def laws_of(system: nn.Module) -> dict[str, Law]:
    """The laws that bind ``system``: all of them, unless a part of it is not ``causal`` and so cannot pause."""
    causal = all(getattr(part, "causal", True) for part in system.modules())
    return {name: law for name, law in LAWS.items() if causal or law is not reading_may_pause}
