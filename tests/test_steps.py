"""The steps of a batch without its padding: the order of PyTorch's packed sequences, and back, with gradients.

Shapes: B rows, T steps, F features.
"""

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from rnn_lightning.recurrent.steps import CHUNK, EvenSteps, Steps, UnevenSteps, steps_of
from rnn_lightning.sequences import fill_padding, reverse

T, F = 9, 2
BATCHES = {
    "no lengths": None,
    "all of one length": [T] * 3,
    "unlike": [4, T, 0, 1, T, 4],
    "shorter than the batch": [2, 3, 1],
    "one row": [5],
    "one step": [0, 1, 0],
    "nothing": [0, 0, 0],
    "many": [random.Random(row).randint(0, T) for row in range(100)],
}
every_batch = pytest.mark.parametrize("batch", BATCHES)


def case(batch: str) -> tuple[Tensor, Tensor | None, Steps]:
    """Inputs without anything in the padding, their lengths, and their steps."""
    numbers = BATCHES[batch]
    lengths = None if numbers is None else torch.tensor(numbers)
    inputs = fill_padding(torch.randn(3 if numbers is None else len(numbers), T, F, dtype=torch.float64), lengths)
    return inputs, lengths, steps_of(inputs, lengths)


@every_batch
def test_packed_and_unpacked_a_batch_is_itself(batch: str) -> None:
    inputs, lengths, steps = case(batch)
    packed = steps.pack(inputs)
    assert packed.shape == (*steps.shape, F) and isinstance(
        steps, EvenSteps if "un" not in batch and lengths is None else Steps
    )
    torch.testing.assert_close(steps.unpack(packed), inputs, rtol=0, atol=0)
    torch.testing.assert_close(steps.unpack(steps.turned(packed)), reverse(inputs, lengths), rtol=0, atol=0)
    torch.testing.assert_close(steps.turned(steps.turned(packed)), packed, rtol=0, atol=0)


@pytest.mark.parametrize("batch", ["unlike", "shorter than the batch", "one row", "many"])
def test_the_order_is_that_of_packed_sequences(batch: str) -> None:
    inputs, lengths, steps = case(batch)
    assert lengths is not None and isinstance(steps, UnevenSteps)
    real = lengths > 0
    peer = pack_padded_sequence(inputs[real], lengths[real], batch_first=True, enforce_sorted=False)
    assert steps.counts == peer.batch_sizes.tolist()
    rows = sorted(range(int(real.sum())), key=lambda row: -int(lengths[real][row]))
    stable = pack_padded_sequence(inputs[real][rows], lengths[real][rows], batch_first=True)
    torch.testing.assert_close(steps.pack(inputs), stable.data, rtol=0, atol=0)


@every_batch
def test_states_come_from_the_first_step_and_go_after_the_last(batch: str) -> None:
    inputs, lengths, steps = case(batch)
    start = torch.randn(len(inputs), F, dtype=torch.float64)
    ends = [T] * len(inputs) if lengths is None else lengths.tolist()
    last = torch.stack([inputs[row, end - 1] if end else start[row] for row, end in enumerate(ends)])
    torch.testing.assert_close(steps.last(steps.pack(inputs), start), last, rtol=0, atol=0)
    if steps.counts:
        firsts = steps.first(inputs[:, 0])
        torch.testing.assert_close(steps.part(steps.pack(inputs), slice(0, 1)), firsts, rtol=0, atol=0)


@every_batch
def test_chunks_hold_all_steps_and_the_states_before_them(batch: str) -> None:
    inputs, _, steps = case(batch)
    packed = steps.pack(inputs)
    assert [time for part in steps.chunks for time in range(part.start, part.stop)] == list(range(len(steps.counts)))
    sizes = [sum(steps.counts[part]) for part in steps.chunks]
    assert all(size >= CHUNK for size in sizes[:-1]) and max(sizes, default=0) == steps.widest
    copy = torch.zeros_like(packed)
    for part in steps.chunks:
        steps.write(copy, part, steps.part(packed, part))
        before = [
            steps.part(packed, slice(time - 1, time))[: steps.counts[time]] for time in range(part.start, part.stop) if time
        ]
        expected = torch.cat(before) if before else packed.new_zeros(0, F)
        torch.testing.assert_close(steps.before(packed, part), expected, rtol=0, atol=0)
    torch.testing.assert_close(copy, packed, rtol=0, atol=0)


@pytest.mark.parametrize("batch", ["unlike", "one step", "no lengths"])
@pytest.mark.parametrize("name", ["pack", "turned", "last"])
def test_gradients_are_those_of_finite_differences(batch: str, name: str) -> None:
    inputs, _, steps = case(batch)
    start = torch.randn(len(inputs), F, dtype=torch.float64, requires_grad=True)
    forms: dict[str, Callable[..., Tensor]] = {
        "pack": lambda inputs, _: steps.unpack(steps.pack(inputs).sin()),
        "turned": lambda inputs, _: steps.turned(steps.pack(inputs)),
        "last": lambda inputs, start: steps.last(steps.pack(inputs), start).sin() + start.sum(),
    }
    arguments = inputs.requires_grad_(), start
    assert torch.autograd.gradcheck(forms[name], arguments) and torch.autograd.gradgradcheck(forms[name], arguments)
