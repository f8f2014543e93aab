"""The diagonal GRU and LSTM: Newton's method over all steps finds what the steps find, with their gradients, or says no.

Shapes: B rows, T steps, F features in, H hidden units, K numbers of the state of each unit.
"""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning import check_invariance
from rnn_lightning.recurrent import CELLS, DiagonalCell, NotConverged, build_network, newton, newton_iterations
from rnn_lightning.recurrent.newton import block_scan, by_doubling, by_loop, by_newton, times
from rnn_lightning.sequences import State, leaves, map_state

B, F, H = 4, 3, 5
DIAGONAL = [name for name, cell in CELLS.items() if issubclass(cell, DiagonalCell)]
assert_close = partial(torch.testing.assert_close, rtol=0, atol=1e-10)
FORMS: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True}, {"num_layers": 2, "block": "residual"}]
every_cell = pytest.mark.parametrize("cell", DIAGONAL)


def network_of(cell: str, solver: str, size: float = 1.0, **form: Any) -> Any:
    torch.manual_seed(1)
    network = build_network(cell, F, H, solver=solver, **form).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=size)
    return network


def inputs_of(steps: int) -> Tensor:
    return torch.randn(B, steps, F, dtype=torch.float64, generator=torch.Generator().manual_seed(steps))


def all_of(network: Any, inputs: Tensor, lengths: Tensor | None, state: State | None, fresh: Tensor | None) -> list[Tensor]:
    """Outputs and state, and the gradients of a scalar made of both by parameters, inputs and starting state."""
    wanted = [*network.parameters(), inputs, *([] if state is None else leaves(state))]
    outputs, after = network(inputs, lengths, state, fresh)
    scalar = outputs.sin().sum() + sum(leaf.cos().sum() for leaf in leaves(after))
    return [outputs, *leaves(after), *torch.autograd.grad(scalar, wanted, allow_unused=True, materialize_grads=True)]


@every_cell
@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_newton_is_the_steps_with_their_gradients(cell: str, form: dict[str, Any], steps: int) -> None:
    """Against PyTorch's own backward pass through a loop over the steps."""
    by_solver, inputs = network_of(cell, "newton", **form), inputs_of(steps).requires_grad_()
    loop, own = network_of(cell, "steps", **form), network_of(cell, "steps", **form)
    for part in loop.modules():
        vars(part).update({"at_once": False} if hasattr(part, "at_once") else {})
    start = map_state(lambda part: part.detach().requires_grad_(), by_solver(inputs_of(3))[1])
    lengths = torch.tensor([steps, 0, steps // 2, 1])
    fresh = torch.rand(B, steps, generator=torch.Generator().manual_seed(0)) < 0.3
    cases = [(None, None, None), (lengths, None, None), (lengths, start, None), (lengths, None, fresh)]
    for case in [*cases, *([] if form.get("bidirectional") else [(lengths, start, fresh)])]:
        expected = all_of(loop, inputs, *case)
        for network in (by_solver, own):
            assert_close(all_of(network, inputs, *case), expected)


@every_cell
@pytest.mark.parametrize("form", [{"num_layers": 2}, {"bidirectional": True}, {"num_layers": 3, "residual": True}], ids=str)
def test_the_laws_hold(cell: str, form: dict[str, Any]) -> None:
    assert max(check_invariance(network_of(cell, "newton", **form)).values()) < 1e-12


@every_cell
def test_derivatives_of_a_step_are_those_of_automatic_differentiation(cell: str) -> None:
    own = network_of(cell, "newton").layers[0].cell
    projected, size = inputs_of(1)[:, 0] @ torch.randn(F, 3 * H, dtype=torch.float64), len(leaves(own.start(inputs_of(1))))
    before = torch.randn(size, B, H, dtype=torch.float64, requires_grad=True)
    after, slopes = own.linearised(projected, before)
    assert_close(after, own.advance(projected, before))
    for number in range(size):
        (expected,) = torch.autograd.grad(after[number].sum(), before, retain_graph=True)
        assert_close(slopes[number], expected)
    assert not slopes.requires_grad


@every_cell
def test_gradients_are_those_of_finite_differences(cell: str) -> None:
    network = network_of(cell, "newton", num_layers=2)
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        called = dict(zip(names, values, strict=True))
        outputs, state = torch.func.functional_call(network, called, (inputs, torch.tensor([7, 3, 1, 0])))
        return outputs, *leaves(state)

    assert torch.autograd.gradcheck(forward, (inputs_of(7).requires_grad_(), *weights), fast_mode=True)


@every_cell
def test_a_second_derivative_is_refused(cell: str) -> None:
    network, inputs = network_of(cell, "newton"), inputs_of(4).requires_grad_()
    with pytest.raises(RuntimeError, match=r"second derivatives, which a scan over time does not have: set at_once = False"):
        torch.autograd.grad(network(inputs)[0].sum(), inputs, create_graph=True)


@every_cell
def test_iterations_are_few_and_counted(cell: str) -> None:
    network = build_network(cell, F, H, 2, solver="newton")
    network(torch.randn(B, 300, F))
    assert 1 <= newton_iterations(network) <= 8
    assert newton_iterations(build_network("lstm", F, H)) == 0
    assert CELLS[cell].backend_on("cpu", {"solver": "newton"}) == "newton"
    assert CELLS[cell].backend_on("cuda") == "own backward pass"


@every_cell
@pytest.mark.parametrize("size", [3.0, 10.0])
def test_iterates_that_would_overflow_still_end_at_the_steps(cell: str, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slope above 1 over so many steps is infinite; one more step is exact after each iteration."""
    monkeypatch.setattr(newton.by_newton, "__defaults__", (400,))
    inputs = 3 * inputs_of(400)
    one, other = network_of(cell, "newton", size), network_of(cell, "steps", size)
    assert_close(one(inputs)[0], other(inputs)[0], atol=1e-6)


@every_cell
def test_what_does_not_converge_is_refused_and_never_returned(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs = network_of(cell, "newton", 10.0), 3 * inputs_of(400)
    said = r"not converged: its iteration 4 over 400 steps changes a state by .*, and 1e-07 ends it; .* solver='steps'"
    monkeypatch.setattr(newton.by_newton, "__defaults__", (4,))
    with pytest.raises(NotConverged, match=said):
        network(inputs)
    inputs[1, 50, 0] = torch.nan
    with pytest.raises(NotConverged, match="changes a state by nan"):
        network_of(cell, "newton")(inputs)


def test_a_recurrence_that_runs_away_is_refused() -> None:
    def linearise(before: Tensor) -> tuple[Tensor, Tensor]:
        return (before * before + 1), (2 * before).unsqueeze(1)

    with pytest.raises(NotConverged):
        by_newton(linearise, torch.ones(1, 1, 1, dtype=torch.float64), 60)


@every_cell
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_are_near_the_exact_ones_by_both_solvers(cell: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network, inputs = build_network(cell, F, H, 2, bidirectional=True, solver="newton"), torch.randn(B, 60, F)
    exact, _ = network(inputs)
    with torch.autocast("cpu", dtype):
        outputs, _ = network(inputs, torch.tensor([60, 3, 0, 7]))
    assert outputs.dtype == dtype and (outputs[0].float() - exact[0]).abs().max() < 0.05
    outputs.float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())
    network = build_network(cell, F, H, solver="newton").to(dtype)
    outputs, state = network(inputs.to(dtype))
    assert outputs.dtype == dtype and network(inputs[:, :1].to(dtype), None, state)[0].isfinite().all()


def blocks(steps: int, numbers: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    draws = torch.Generator().manual_seed(steps)
    shapes = ((steps, numbers, numbers, B, H), (steps, numbers, B, H), (numbers, B, H))
    keep, new, start = (torch.randn(*shape, dtype=torch.float64, generator=draws).requires_grad_() for shape in shapes)
    return keep, new, start


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("form", [by_loop, by_doubling])
@pytest.mark.parametrize("numbers", [1, 2, 3])
def test_a_scan_of_blocks_is_its_equation_with_its_gradients(
    form: Any, steps: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newton, "recurrence", form)
    keep, new, start = given = blocks(steps, numbers)
    states, before = [], start
    for matrix, term in zip(keep, new, strict=True):
        before = torch.einsum("ijbh,jbh->ibh", matrix, before) + term
        states.append(before)
    expected, found = torch.stack(states), block_scan(*given)
    torch.testing.assert_close(found, expected)
    outer = torch.randn_like(found)
    for one, other in zip(*(torch.autograd.grad(each, given, outer) for each in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)


def test_blocks_times_blocks_are_products_of_matrices() -> None:
    one, other = blocks(3)[0], blocks(4)[0][:3]
    torch.testing.assert_close(times(one, other), torch.einsum("tijbh,tjkbh->tikbh", one, other))


def test_other_cells_have_no_solver() -> None:
    with pytest.raises(ValueError, match="solver must be 'steps' for the cell 'gru', not 'newton': it is for diagonal_"):
        build_network("gru", F, H, solver="newton")
    with pytest.raises(ValueError, match=r"solver must be one of \['steps', 'newton'\], not 'picard'"):
        build_network("diagonal_gru", F, H, solver="picard")
