"""Laws of reading, over every cell and every way to stack it. In double precision; rounding may explain 1e-12, padding nothing.

Shapes: B rows, T steps, F features in, H hidden units.
"""

import copy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from often import those
from oracles import EQUATIONS, WEIGHT_NAMES, Array, Weights, read_both_ways, read_row
from recurrent_forms import FORMS, F, Form, H, every_form, every_one_way_form
from torch import Tensor, nn

from rnn_lightning.recurrent import CELLS, Bidirectional, Deep, Layout, Recurrent, Residual, build_network
from rnn_lightning.sequences import State, leaves, length_mask, map_state

B, T = 5, 7
LENGTHS = torch.tensor([7, 1, 0, 4, 6])
assert_same = partial(torch.testing.assert_close, rtol=0.0, atol=0.0)
assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-12)
assert_allclose = partial(np.testing.assert_allclose, rtol=0.0, atol=1e-12)


every_cell = pytest.mark.parametrize("cell", CELLS)


def inputs_of(rows: int = B, steps: int = T) -> Tensor:
    return torch.randn(rows, steps, F, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def with_gradients(network: Recurrent, inputs: Tensor, lengths: Tensor) -> dict[str, Any]:
    """All that a batch leads to: outputs, state, and the gradients of a scalar made of both."""
    network.zero_grad()
    inputs = inputs.clone().requires_grad_()
    outputs, state = network(inputs, lengths)
    scalar = outputs.square().sum() + sum(leaf.sin().sum() for leaf in leaves(state))
    scalar.backward()
    assert inputs.grad is not None
    weights = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {"outputs": outputs, "state": state, "inputs": inputs.grad, "weights": weights}


def a_state(network: Recurrent, inputs: Tensor) -> State:
    """A state to start from that is not zero: the one after other inputs."""
    with torch.no_grad():
        return network(torch.randn(len(inputs), 2, F, dtype=inputs.dtype))[1]


@every_form
def test_garbage_in_the_padding_changes_no_bit_of_outputs_state_or_gradients(form: Form) -> None:
    network, inputs = form.build(), inputs_of()
    padding = ~length_mask(LENGTHS, T).unsqueeze(2)
    clean = with_gradients(network, inputs, LENGTHS)
    assert_same(with_gradients(network, inputs.masked_fill(padding, float("nan")), LENGTHS), clean)
    assert not clean["outputs"].masked_select(padding).any()
    assert not clean["inputs"].masked_select(padding).any()


@every_form
def test_more_padding_changes_nothing(form: Form) -> None:
    network, inputs = form.build(), inputs_of()
    longer = torch.cat([inputs, torch.full_like(inputs, float("nan"))], 1)
    tight, wide = with_gradients(network, inputs, LENGTHS), with_gradients(network, longer, LENGTHS)
    for name in ("outputs", "inputs"):
        assert not wide[name][:, T:].any()
        wide[name] = wide[name][:, :T]
    assert_close(wide, tight)


@every_form
def test_lengths_that_reach_the_end_read_as_none(form: Form) -> None:
    network, inputs = form.build(), inputs_of()
    assert_same(network(inputs, torch.full((B,), T)), network(inputs))


@every_one_way_form
@pytest.mark.parametrize("pause", [0, 1, 4, T])
def test_two_goes_read_as_one(form: Form, pause: int) -> None:
    network, inputs = form.build(), inputs_of()
    before = a_state(network, inputs)
    whole = network(inputs, LENGTHS, before)
    first, state = network(inputs[:, :pause], LENGTHS.clamp(max=pause), before)
    second, state = network(inputs[:, pause:], (LENGTHS - pause).clamp(min=0), state)
    assert_close((torch.cat([first, second], 1), state), whole)


@every_form
def test_rows_are_read_apart_in_any_order(form: Form) -> None:
    network, inputs = form.build(), inputs_of()
    before = a_state(network, inputs)
    outputs, state = network(inputs, LENGTHS, before)
    for rows in [torch.tensor([3, 0, 4, 2, 1]), *torch.arange(B).unsqueeze(1)]:
        part = network(inputs[rows], LENGTHS[rows], map_state(lambda leaf, rows=rows: leaf[rows], before))
        assert_close(part, (outputs[rows], map_state(lambda leaf, rows=rows: leaf[rows], state)))


@every_form
def test_a_row_without_steps_keeps_its_state(form: Form) -> None:
    network, inputs = form.build(), inputs_of()
    before = a_state(network, inputs)
    _, after = network(inputs, LENGTHS, before)
    assert_same([leaf[2] for leaf in leaves(after)], [leaf[2] for leaf in leaves(before)])
    outputs, unmoved = network(inputs, torch.zeros(B, dtype=torch.int32), before)
    assert_same((outputs, unmoved), (torch.zeros_like(outputs), before))


@every_form
@pytest.mark.parametrize(("rows", "steps"), [(0, T), (B, 0), (0, 0)])
def test_a_batch_may_be_empty(form: Form, rows: int, steps: int) -> None:
    network, inputs = form.build(), inputs_of(rows, steps)
    before = a_state(network, inputs)
    outputs, after = network(inputs, torch.zeros(rows, dtype=torch.int64), before)
    assert outputs.shape == (rows, steps, network.output_size)
    assert_same(after, before)


@every_form
def test_a_copy_and_a_state_dict_read_the_same(form: Form) -> None:
    network, inputs, twin = form.build(), inputs_of(), form.build()
    nn.init.zeros_(next(twin.parameters()))
    twin.load_state_dict(network.state_dict())
    assert_same(twin(inputs, LENGTHS), expected := network(inputs, LENGTHS))
    assert_same(copy.deepcopy(network)(inputs, LENGTHS), expected)


def one_layer(cell: str) -> Recurrent:
    """A layer of its own, with no wrapper around it, no weight of which is zero."""
    network = CELLS[cell].layer(F, Layout(H)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    return network


def weights_of(network: nn.Module, cell: str) -> Weights:
    assert cell in EQUATIONS and cell in WEIGHT_NAMES, f"{cell} lacks its equation or names of weights in tests/oracles.py"
    return {letter: network.get_parameter(name).detach().numpy() for letter, name in WEIGHT_NAMES[cell].items()}


def row_state(state: State, row: int) -> Array | tuple[Array, ...]:
    """A row's state as the equations want it: vectors (H,)."""
    vectors = [leaf[row].reshape(-1).numpy() for leaf in leaves(state)]
    return vectors[0] if len(vectors) == 1 else tuple(vectors)


def test_each_cell_has_an_oracle() -> None:
    assert set(CELLS) == set(EQUATIONS) == set(WEIGHT_NAMES), "equations and names of weights are in tests/oracles.py"


@every_cell
def test_a_cell_is_its_equations(cell: str) -> None:
    network, inputs = one_layer(cell), inputs_of()
    before = a_state(network, inputs)
    outputs, after = network(inputs, None, before)
    for row in range(B):
        weights = weights_of(network, cell)
        expected, last = read_row(EQUATIONS[cell], inputs[row].numpy(), row_state(before, row), weights)
        assert_allclose(outputs[row].detach(), expected)
        found = np.concatenate([leaf[row].detach().reshape(-1) for leaf in leaves(after)])
        assert_allclose(found, np.concatenate(last) if isinstance(last, tuple) else last)


@every_cell
def test_both_directions_are_the_equations_forwards_and_backwards(cell: str) -> None:
    ahead, back, inputs = one_layer(cell), one_layer(cell), inputs_of()
    state = row_state(ahead.start(inputs), 0)
    outputs, _ = Bidirectional(ahead, back)(inputs, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        if length:
            steps = inputs[row, :length].numpy()
            expected = read_both_ways(EQUATIONS[cell], steps, state, weights_of(ahead, cell), weights_of(back, cell))
            assert_allclose(outputs[row, :length].detach(), expected)


@every_cell
def test_a_bidirectional_layer_is_two_one_way_layers(cell: str) -> None:
    both = Form(cell, 1, bidirectional=True, residual=False).build()
    ahead, back = build_network(cell, F, H).double(), build_network(cell, F, H).double()
    two = [list(layer.parameters()) for layer in (ahead, back)]
    for one_way, shared in zip([*two[0], *two[1]], both.parameters(), strict=True):
        one_way.data = shared.data
    inputs = inputs_of()
    outputs, state = both(inputs, LENGTHS)
    expected, expected_state = Bidirectional(ahead, back)(inputs, LENGTHS)
    assert_close(outputs, expected)
    # The two forms keep the same numbers in states of another shape.
    stacked = [torch.cat([leaf.reshape(B, -1) for leaf in leaves(part)], 1) for part in (state, expected_state)]
    assert stacked[0].sort(1).values.allclose(stacked[1].sort(1).values, atol=1e-12)


WITHOUT_RESIDUAL = [form for form in FORMS if not form.residual]


@pytest.mark.parametrize("form", those(WITHOUT_RESIDUAL, lambda form: (form.num_layers == 2) == form.bidirectional), ids=str)
def test_gradients_are_those_of_finite_differences(form: Form) -> None:
    torch.manual_seed(3)
    hidden_size = 1 if form.num_layers == 1 else 3
    network = build_network(form.cell, 2, hidden_size, form.num_layers, bidirectional=form.bidirectional).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter)  # no bias of zero, where a rectified unit has no derivative
    lengths = torch.tensor([3, 1, 0])
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        outputs, state = torch.func.functional_call(network, dict(zip(names, values, strict=True)), (inputs, lengths))
        return outputs, *leaves(state)

    inputs = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(forward, (inputs, *weights), fast_mode=True)


@every_cell
def test_wrappers_keep_the_contract(cell: str) -> None:
    inputs = inputs_of()
    layers = [build_network(cell, F, F).double(), build_network(cell, F, F).double()]
    once, padding = layers[0](inputs, LENGTHS)[0], ~length_mask(LENGTHS, T).unsqueeze(2)
    assert_close(Residual(layers[0])(inputs, LENGTHS)[0], (inputs + once).masked_fill(padding, 0))
    assert_close(Deep(layers)(inputs, LENGTHS)[0], layers[1](once, LENGTHS)[0])


@every_form
def test_a_network_is_causal_where_what_comes_later_changes_nothing(form: Form) -> None:
    network, inputs = form.build(), inputs_of()
    outputs, _ = network(inputs)
    later = inputs.clone()
    later[:, 4:] += 1
    same = torch.equal(network(later)[0][:, :4], outputs[:, :4])
    assert network.causal == (not form.bidirectional)
    assert same == (network.causal or form.cell == "feedforward")
