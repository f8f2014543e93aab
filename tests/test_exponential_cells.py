"""sLSTM and mLSTM: chunks equal steps, heads are apart, the stabiliser changes nothing, and no gate overflows.

Shapes: B rows, T steps, F features in, H hidden units, N heads of D units.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from oracles import EQUATIONS, mlstm, read_row, sigmoid
from torch import Tensor, nn

from rnn_lightning import Batch, SequenceRegressor, count_parameters, hidden_size_for
from rnn_lightning.microscope import examine
from rnn_lightning.recurrent import CELLS, Recurrent, build_network
from rnn_lightning.recurrent.exponential_cells import LARGEST_VECTOR, limited
from rnn_lightning.recurrent.matrix_memory import read_in_chunks
from rnn_lightning.sequences import leaves, map_state

B, F, H = 4, 3, 8
CELL_NAMES = ("slstm", "mlstm")
every_cell = pytest.mark.parametrize("cell", CELL_NAMES)
assert_close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-10)


def network_of(cell: str, **form: Any) -> Any:
    torch.manual_seed(1)
    network: Any = build_network(cell, F, H, **form).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.7)
    return network


def inputs_of(steps: int, rows: int = B) -> Tensor:
    return torch.randn(rows, steps, F, dtype=torch.float64, generator=torch.Generator().manual_seed(steps))


def all_of(network: Recurrent, *arguments: Any) -> list[Tensor]:
    """Outputs and state of a batch, and the gradients of a scalar made of both by parameters, inputs and starting state."""
    inputs, lengths, state, *fresh = arguments
    wanted = [*network.parameters(), inputs, *([] if state is None else leaves(state))]
    outputs, after = network(inputs, lengths, state, *fresh)
    scalar = outputs.sin().sum() + sum(leaf.cos().sum() for leaf in leaves(after))
    return [outputs, *leaves(after), *torch.autograd.grad(scalar, wanted, allow_unused=True, materialize_grads=True)]


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("steps", [2, 15, 16, 17, 50])
def test_chunks_are_steps_with_their_gradients(steps: int, heads: int) -> None:
    network, inputs = network_of("mlstm", heads=heads), inputs_of(steps).requires_grad_()
    start = map_state(lambda part: part.detach().requires_grad_(), network(inputs_of(3))[1])
    lengths = torch.tensor([steps, 0, steps // 2, 1])
    fresh = torch.rand(B, steps, generator=torch.Generator().manual_seed(0)) < 0.2
    cases = [(inputs, *rest) for rest in ((None, None), (lengths, None), (lengths, start), (lengths, start, fresh))]
    chunks = [all_of(network, *case) for case in cases]
    network.layers[0].at_once = False
    for found, case in zip(chunks, cases, strict=True):
        assert_close(found, all_of(network, *case))


@pytest.mark.parametrize("chunk", [1, 2, 5, 12, 100])
def test_chunks_of_any_length_are_one(chunk: int) -> None:
    draws = torch.Generator().manual_seed(0)
    vectors = [torch.randn(B, 2, 12, 4, dtype=torch.float64, generator=draws) for _ in range(3)]
    gates = [torch.randn(B, 2, 12, dtype=torch.float64, generator=draws) for _ in range(2)]
    state: Any = [torch.randn(B, 2, *size, dtype=torch.float64, generator=draws) for size in ((4, 4), (4,), ())]
    read = [read_in_chunks(*vectors, gates[0], -gates[1].exp(), state=state, chunk=size) for size in (chunk, 12)]
    assert_close(*read)


def test_gradients_of_chunks_are_those_of_finite_differences() -> None:
    network = network_of("mlstm", heads=4)
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        outputs, state = torch.func.functional_call(
            network, dict(zip(names, values, strict=True)), (inputs, torch.tensor([18, 3]))
        )
        return outputs, *leaves(state)

    assert torch.autograd.gradcheck(forward, (inputs_of(18, 2).requires_grad_(), *weights), fast_mode=True)


def test_heads_of_the_slstm_are_blocks_of_its_recurrent_weight() -> None:
    several, one = network_of("slstm", heads=4), network_of("slstm")
    weights = {name: value.clone() for name, value in several.state_dict().items()}
    blocks = weights["layers.0.cell.recurrent_weight"].unflatten(0, (4, 4, H // 4))
    weights["layers.0.cell.recurrent_weight"] = torch.cat([torch.block_diag(*gate) for gate in blocks])
    one.load_state_dict(weights)
    inputs = inputs_of(9)
    assert_close(several(inputs), one(inputs))
    one.layers[0].cell.recurrent_weight.data[0, 2] = 5.0  # from the second head to the first
    assert not several(inputs)[0].allclose(one(inputs)[0])


def test_heads_of_the_mlstm_are_the_equations_of_one_head_each() -> None:
    network, inputs, units = network_of("mlstm", heads=2), inputs_of(20, 1), H // 2
    outputs, (state,) = network(inputs)
    weight, bias = (getattr(network.layers[0].cell, name).detach().numpy() for name in ("input_weight", "bias"))
    for head in range(2):
        rows = [gate * H + head * units + unit for gate in range(4) for unit in range(units)] + [4 * H + head, 4 * H + 2 + head]
        start = np.zeros(units * units), np.zeros(units), np.zeros(1)
        expected, last = read_row(mlstm, inputs[0].numpy(), start, {"W": weight[rows], "b": bias[rows]})
        np.testing.assert_allclose(outputs[0, :, head * units : (head + 1) * units].detach(), expected, atol=1e-12)
        for part, other in zip(state, last, strict=True):
            np.testing.assert_allclose(part[0, head].detach().reshape(-1), other, atol=1e-12)


@every_cell
@pytest.mark.parametrize("shift", [-40.0, 40.0])
def test_a_scale_that_is_moved_to_the_stabiliser_changes_no_output(cell: str, shift: float) -> None:
    network, inputs = network_of(cell), inputs_of(20)
    (state,) = network(inputs_of(5))[1]
    *hidden, memory, normaliser, stabiliser = state
    moved = (*hidden, memory * np.exp(-shift), normaliser * np.exp(-shift), stabiliser + shift)
    torch.testing.assert_close(network(inputs, None, (moved,))[0], network(inputs, None, (state,))[0], rtol=1e-9, atol=1e-9)


@every_cell
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("gate", [-1000.0, 1000.0])
def test_gates_of_any_size_give_finite_outputs_and_gradients(cell: str, at_once: bool, gate: float) -> None:
    torch.manual_seed(0)
    network: Any = build_network(cell, F, H)
    network.layers[0].at_once = at_once
    biases = network.layers[0].cell.bias.data.split(network.layers[0].cell.block_sizes())
    enter, forget = (biases[CELLS[cell].gates.index(name)] for name in ("exponential input", "forget"))
    for sign in (1, -1):
        enter[:], forget[:] = gate, sign * gate
        inputs = (3 * torch.randn(B, 40, F)).requires_grad_()
        outputs, after = network(inputs)
        assert outputs.isfinite().all() and all(part.isfinite().all() for part in leaves(after))
        gradients = torch.autograd.grad(outputs.square().sum(), [inputs, *network.parameters()])
        assert all(gradient.isfinite().all() for gradient in gradients)


@every_cell
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("size", [1e5, 1e10, 1e20, 1e30, 1e37])
def test_inputs_of_any_size_give_finite_outputs_and_gradients(cell: str, at_once: bool, size: float) -> None:
    torch.manual_seed(0)
    network: Any = build_network(cell, F, H, heads=2)
    network.layers[0].at_once = at_once
    inputs = (size * torch.randn(B, 40, F)).requires_grad_()
    outputs, after = network(inputs)
    assert outputs.isfinite().all() and all(part.isfinite().all() for part in leaves(after))
    gradients = torch.autograd.grad(outputs.square().sum(), [inputs, *network.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)
    outputs, _ = network(inputs, None, after)
    assert outputs.isfinite().all()


def test_large_vectors_keep_their_direction_and_others_their_bits() -> None:
    vectors = torch.randn(B, H)
    assert limited(vectors).equal(vectors) and limited(LARGEST_VECTOR * vectors.clamp(-1, 1)).allclose(
        1e9 * vectors.clamp(-1, 1)
    )
    torch.testing.assert_close(limited(1e37 * vectors), LARGEST_VECTOR * vectors / vectors.abs().amax(1, keepdim=True))
    assert limited(torch.full((1, 2), torch.inf)).tolist() == [[LARGEST_VECTOR] * 2]


@every_cell
def test_bfloat16_by_autocast_is_near_and_finite(cell: str) -> None:
    torch.manual_seed(0)
    network, inputs = build_network(cell, 8, 16, 2, bidirectional=True, heads=2), torch.randn(B, 60, 8)
    exact, _ = network(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = network(inputs, torch.tensor([60, 3, 0, 7]))
    assert (outputs[0].float() - exact[0]).abs().max() < 0.05 * exact[0].abs().max()
    outputs.float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())


@every_cell
def test_a_budget_gives_whole_heads_and_the_other_cells_have_none(cell: str) -> None:
    size = hidden_size_for(cell, input_size=9, parameters=20_000, num_layers=2, heads=4)
    assert size % 4 == 0 and abs(count_parameters(build_network(cell, 9, size, 2, heads=4)) - 20_000) < 1_500
    with pytest.raises(ValueError, match="hidden_size must be a multiple of the 4 heads, such as 8 or 12, not 10"):
        build_network(cell, F, 10, heads=4)
    with pytest.raises(ValueError, match="heads must be 1 for the cell 'gru', not 2: it is for mlstm, slstm"):
        build_network("gru", F, H, heads=2)
    with pytest.raises(ValueError, match="heads must be"):
        build_network(cell, F, H, heads=0)


def test_recurrent_blocks_of_heads_start_orthogonal() -> None:
    network: Any = build_network("slstm", F, H, heads=2)
    for block in network.layers[0].cell.recurrent_weight.split(H // 2):
        torch.testing.assert_close(block @ block.T, torch.eye(H // 2), rtol=0, atol=1e-5)


@every_cell
@pytest.mark.parametrize("bias", [30.0, -30.0])
def test_the_forget_gate_keeps_the_memory_or_drops_it(cell: str, bias: float) -> None:
    network: Any = build_network(cell, F, H, heads=2, forget_bias=bias).double()
    (state,) = map_state(torch.clone, network(inputs_of(4))[1])
    for name, weight in network.named_parameters():
        weight.data.zero_() if name.endswith("weight") else None
    _, (after,) = network(inputs_of(2), None, (state,))
    for part in (-3, -2) if cell == "mlstm" else (-3,):  # the normaliser of the sLSTM also counts the steps
        now, before = (each[part] * each[-1].exp().view(B, -1, *[1] * (each[part].dim() - 2)) for each in (after, state))
        torch.testing.assert_close(now, before * (bias > 0), rtol=0, atol=1e-9)


def test_the_microscope_counts_the_gates_that_are_sigmoids_by_their_names() -> None:
    torch.manual_seed(0)
    system, inputs = SequenceRegressor({"cell": "slstm", "hidden_size": 5}, F).double(), 4 * inputs_of(12, 1)
    found = examine(system, [Batch(inputs, None, torch.zeros(1, 1, dtype=torch.float64))]).gates
    cell: Any = system.network.get_submodule("layers.0.cell")
    weights = {"W": cell.input_weight, "U": cell.recurrent_weight, "b": cell.bias}
    weights = {name: value.detach().numpy() for name, value in weights.items()}
    seen, state = [], (np.zeros(5),) * 4
    for x in inputs[0].numpy():
        seen.append(sigmoid(weights["W"] @ x + weights["U"] @ state[0] + weights["b"]).reshape(4, 5))
        _, state = EQUATIONS["slstm"](x, state, weights)
    assert set(found) == {"forget", "output"}
    for name, (low, high) in found.items():
        values = np.stack([each[CELLS["slstm"].gates.index(name)] for each in seen])
        assert (low, high) == (pytest.approx((values < 0.1).mean()), pytest.approx((values > 0.9).mean()))
    other = SequenceRegressor({"cell": "mlstm", "hidden_size": 5}, F).double()
    assert examine(other, [Batch(inputs, None, torch.zeros(1, 1, dtype=torch.float64))]).gates == {}
