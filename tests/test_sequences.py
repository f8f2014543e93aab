"""What is real in a padded batch. Shapes: B rows, T steps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnn_lightning.checks import check_counts
from rnn_lightning.sequences import (
    Batch,
    check_lengths,
    fill_padding,
    leaves,
    length_mask,
    map_state,
    reverse,
    select_state,
)

STEPS = 6
lengths_of_rows = st.lists(st.integers(0, STEPS), max_size=5)
thoroughly = settings(derandomize=True, deadline=None, max_examples=60)


@thoroughly
@given(lengths_of_rows)
def test_real_steps_are_the_first_of_each_row(lengths: list[int]) -> None:
    mask = length_mask(torch.tensor(lengths, dtype=torch.int64), STEPS)
    assert mask.tolist() == [[step < length for step in range(STEPS)] for length in lengths]


@thoroughly
@given(lengths_of_rows, st.sampled_from([(), (2,), (2, 3)]))
def test_reverse_turns_the_real_steps_and_leaves_the_padding(lengths: list[int], features: tuple[int, ...]) -> None:
    inputs = torch.arange(len(lengths) * STEPS * len(features or [0]) * 6.0)[: len(lengths) * STEPS]
    inputs = inputs.view(len(lengths), STEPS, *[1] * len(features)).expand(-1, -1, *features)
    reversed_ = reverse(inputs, torch.tensor(lengths, dtype=torch.int64))
    for row, length in enumerate(lengths):
        assert reversed_[row, :length].equal(inputs[row, :length].flip(0))
        assert reversed_[row, length:].equal(inputs[row, length:])
    assert reverse(reversed_, torch.tensor(lengths, dtype=torch.int64)).equal(inputs)


def test_reverse_without_lengths_turns_every_step() -> None:
    inputs = torch.randn(3, STEPS, 2)
    assert reverse(inputs).equal(reverse(inputs, torch.full((3,), STEPS)))


def test_a_state_keeps_its_structure() -> None:
    state = (torch.ones(2, 1), (torch.zeros(2, 3), (torch.ones(2, 2, 2),)))
    doubled = map_state(lambda leaf: leaf * 2, state)
    torch.testing.assert_close(doubled, (torch.full((2, 1), 2.0), (torch.zeros(2, 3), (torch.full((2, 2, 2), 2.0),))))
    assert map_state(lambda leaf: leaf, ()) == ()


@thoroughly
@given(st.lists(st.booleans(), min_size=1, max_size=5))
def test_select_state_takes_each_row_from_one_side(mask: list[bool]) -> None:
    rows = len(mask)
    chosen = (torch.ones(rows), (torch.ones(rows, 2), torch.ones(rows, 2, 3)))
    other = map_state(torch.zeros_like, chosen)
    selected = select_state(torch.tensor(mask), chosen, other)
    map_state(lambda leaf: assert_rows(leaf, mask), selected)


def assert_rows(leaf: Tensor, mask: list[bool]) -> Tensor:
    assert leaf.flatten(1).float().mean(1).tolist() == mask if leaf.dim() > 1 else leaf.tolist() == mask
    return leaf


def test_select_state_lets_no_nan_through() -> None:
    chosen, other = torch.tensor([[1.0], [float("nan")]], requires_grad=True), torch.zeros(2, 1)
    selected = select_state(torch.tensor([True, False]), chosen, other)
    assert isinstance(selected, Tensor)
    assert selected.tolist() == [[1.0], [0.0]]
    assert torch.autograd.grad(selected.sum(), chosen)[0].tolist() == [[1.0], [0.0]]


def test_states_of_another_structure_are_refused() -> None:
    one = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        select_state(torch.tensor([True]), (one, one), (one,))


@thoroughly
@given(lengths_of_rows, st.sampled_from([torch.int32, torch.int64]))
def test_lengths_that_fit_pass(lengths: list[int], dtype: torch.dtype) -> None:
    check_lengths(torch.tensor(lengths, dtype=dtype), torch.zeros(len(lengths), STEPS))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([1, -1]), "lengths[1] is -1; it must lie in 0..6, the steps of the batch"),
        (torch.tensor([7, 9]), "lengths[0] is 7; it must lie in 0..6, the steps of the batch"),
        (torch.tensor([1.0, 2.0]), "lengths must be int64 or int32, not torch.float32"),
        (torch.tensor([True, False]), "lengths must be int64 or int32, not torch.bool"),
        (torch.tensor([1, 2, 3]), "lengths must have shape (2,), one a row, not (3,)"),
        (torch.tensor([[1, 2]]), "lengths must have shape (2,), one a row, not (1, 2)"),
        (torch.tensor(3), "lengths must have shape (2,), one a row, not ()"),
    ],
    ids=str,
)
def test_lengths_that_do_not_fit_are_refused(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        check_lengths(lengths, torch.zeros(2, STEPS))
    assert str(raised.value) == message


def test_a_batch_needs_no_more_than_inputs_lengths_and_targets() -> None:
    batch = Batch(torch.zeros(1, 2), None, torch.zeros(1))
    assert batch.target_lengths is None and batch.fresh is None


def test_the_leaves_of_a_state_are_its_tensors_in_order() -> None:
    one, two, three = torch.zeros(1), torch.ones(2), torch.ones(3)
    assert [id(leaf) for leaf in leaves(((one, ()), (two, (three,))))] == [id(one), id(two), id(three)]
    assert leaves(one)[0] is one and leaves(()) == []


def test_states_are_mapped_side_by_side() -> None:
    one, two = (torch.ones(2), (torch.zeros(1),)), (torch.full((2,), 3.0), (torch.ones(1),))
    torch.testing.assert_close(map_state(torch.add, one, two), (torch.full((2,), 4.0), (torch.ones(1),)))


@thoroughly
@given(lengths_of_rows, st.sampled_from([(), (2,), (2, 3)]), st.sampled_from([0, -100]))
def test_filling_the_padding_leaves_the_real_steps(lengths: list[int], features: tuple[int, ...], value: int) -> None:
    inputs = torch.randint(1, 9, (len(lengths), STEPS, *features))
    filled = fill_padding(inputs, torch.tensor(lengths, dtype=torch.int64), value)
    for row, length in enumerate(lengths):
        assert filled[row, :length].equal(inputs[row, :length]) and bool((filled[row, length:] == value).all())
    assert fill_padding(inputs, None, value) is inputs


@pytest.mark.parametrize(("least", "number"), [(1, 0), (0, -0.5), (1, float("nan"))])
def test_a_number_that_is_too_small_is_named(least: int, number: float) -> None:
    with pytest.raises(ValueError, match=f"rows must be a whole number of at least {least}, not {number}"):
        check_counts(least=least, steps=5, rows=number)
    check_counts(least=least, steps=least)
