"""Linear recurrences over all steps at once: equal to their equation, in every form, with its gradients.

Shapes: T steps, B rows, H hidden units.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.plain_cells import min_gru_in_log_space
from rnn_lightning.recurrent import CELLS, ScanCell, build_network, parallel
from rnn_lightning.recurrent.parallel import IndependentSequence, back_by_doubling, by_doubling, by_loop, scan

B, H = 3, 4
SCANS = [name for name, cell in CELLS.items() if issubclass(cell, ScanCell)]
TYPES = [torch.float64, torch.complex128]
assert_close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)
every_form = pytest.mark.parametrize("form", [by_loop, by_doubling])
every_type = pytest.mark.parametrize("dtype", TYPES, ids=str)


def parts(steps: int, dtype: torch.dtype = torch.float64, size: float = 1.0) -> list[Tensor]:
    """a (T, B, H) of any sign, b (T, B, H) and a state (B, H)."""
    draws = torch.Generator().manual_seed(steps)
    shapes = ((steps, B, H), (steps, B, H), (B, H))
    keep, new, start = (torch.randn(*shape, dtype=dtype, generator=draws) for shape in shapes)
    return [part.requires_grad_() for part in (size * keep, new, start)]


def plain(keep: Tensor, new: Tensor, before: Tensor) -> Tensor:
    states = []
    for factor, term in zip(keep, new, strict=True):
        before = factor * before + term
        states.append(before)
    return torch.stack(states)


@pytest.fixture
def forced(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of other devices on the CPU, forwards and backwards."""
    if form is by_doubling:
        monkeypatch.setattr(parallel, "recurrence", by_doubling)
        monkeypatch.setattr(parallel, "recurrence_back", back_by_doubling)


@every_type
@every_form
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 33])
@pytest.mark.usefixtures("forced")
def test_a_scan_is_its_equation_with_its_gradients(form: Callable[..., Tensor], dtype: torch.dtype, steps: int) -> None:
    given = parts(steps, dtype)
    outer = torch.randn_like(given[1])
    for one, two in zip(
        [scan(*given), *torch.autograd.grad(scan(*given), given, outer)],
        [plain(*given), *torch.autograd.grad(plain(*given), given, outer)],
        strict=True,
    ):
        assert_close(one, two)


@every_type
@every_form
@pytest.mark.usefixtures("forced")
def test_gradients_are_those_of_finite_differences(form: Callable[..., Tensor], dtype: torch.dtype) -> None:
    assert torch.autograd.gradcheck(scan, parts(5, dtype))


@every_form
@pytest.mark.usefixtures("forced")
def test_gradients_of_independent_units_are_those_of_finite_differences(form: Callable[..., Tensor]) -> None:
    projected, _, start = parts(5)
    assert torch.autograd.gradcheck(IndependentSequence.apply, (projected, start, start[0].detach().clone().requires_grad_()))


@every_type
@every_form
@pytest.mark.usefixtures("forced")
def test_a_factor_may_be_the_same_for_all_steps_and_rows(form: Callable[..., Tensor], dtype: torch.dtype) -> None:
    _, new, start = parts(5, dtype)
    keep = start.detach()[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(scan, (keep, new, start))
    assert_close(scan(keep, new, start), plain(keep.expand_as(new), new, start))


@every_form
def test_what_is_forgotten_leaves_no_trace_whatever_its_size(form: Callable[..., Tensor]) -> None:
    """Quotients of running products, or logarithms, give NaN here."""
    keep, new, start = (part.detach() for part in parts(400))
    keep[100], new[99], keep[200:300] = 0, 1e300, 1e-30
    assert form(keep, new, start)[100].equal(new[100])
    assert_close(form(keep.clamp(-0.9, 0.9), new, start), plain(keep.clamp(-0.9, 0.9), new, start))


@every_form
def test_padding_with_one_and_zero_keeps_the_state(form: Callable[..., Tensor]) -> None:
    keep, new, start = (part.detach() for part in parts(6))
    longer = form(torch.cat([keep, torch.ones_like(keep)]), torch.cat([new, torch.zeros_like(new)]), start)
    assert_close(longer, torch.cat([longer[:6], longer[5:6].expand(6, B, H)]))


def test_two_tensors_are_kept_for_the_backward_pass() -> None:
    given, kept = parts(50), []
    with torch.autograd.graph.saved_tensors_hooks(lambda part: (kept.append(part.numel()), part)[1], lambda part: part):
        scan(*given)
    assert sorted(kept) == [B * H, 50 * B * H, 50 * B * H]


def test_a_second_derivative_is_refused() -> None:
    given = parts(3)
    with pytest.raises(RuntimeError, match=r"second derivatives, which a scan over time does not have: set at_once = False"):
        torch.autograd.grad(scan(*given).sum(), given, create_graph=True)


@pytest.mark.parametrize("cell", SCANS)
def test_scan_steps_and_chunks_are_one(cell: str) -> None:
    torch.manual_seed(0)
    network: Any = build_network(cell, 3, H).double()
    inputs = torch.randn(B, 9, 3, dtype=torch.float64)
    whole = network(inputs)
    for pieces in ([1] * 9, [4, 1, 4], [2, 7]):
        outputs, state = [], None
        for piece in inputs.split(pieces, 1):
            output, state = network(piece, None, state)
            outputs.append(output)
        assert_close((torch.cat(outputs, 1), state), whole)


@pytest.mark.parametrize("cell", [*SCANS, "indrnn"])
def test_bfloat16_by_autocast_is_near_and_finite(cell: str) -> None:
    torch.manual_seed(0)
    network, inputs = build_network(cell, 8, 16, 2, bidirectional=True), torch.randn(B, 60, 8)
    exact, _ = network(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = network(inputs, torch.tensor([60, 3, 0]))
        step, _ = build_network(cell, 8, 16)(inputs[:, :1])
    assert outputs.dtype == step.dtype == torch.bfloat16
    assert (outputs[0].float() - exact[0]).abs().max() < 0.05 * exact[0].abs().max()
    outputs.float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())


@pytest.mark.parametrize("cell", [*SCANS, "indrnn", "slstm", "mlstm"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_may_be_of_16_bits(cell: str, dtype: torch.dtype) -> None:
    network = build_network(cell, 8, 16, 2).to(dtype)
    outputs, state = network(torch.randn(B, 5, 8, dtype=dtype))
    outputs, _ = network(torch.randn(B, 1, 8, dtype=dtype), None, state)
    assert outputs.dtype == dtype and outputs.isfinite().all()


@pytest.mark.parametrize("cell", ["mingru", "minlstm"])
def test_gates_that_are_shut_give_no_nan(cell: str) -> None:
    network = build_network(cell, 3, H, init={"uniform": 1000.0})
    inputs = torch.randn(B, 9, 3, requires_grad=True)
    outputs, _ = network(inputs)
    outputs.sum().backward()
    assert inputs.grad is not None and outputs.isfinite().all() and inputs.grad.isfinite().all()


def test_the_minimal_gru_equals_its_form_in_log_space() -> None:
    torch.manual_seed(0)
    network: Any = build_network("mingru", 3, H).double()
    inputs, start = torch.randn(B, 20, 3, dtype=torch.float64), torch.rand(B, H, dtype=torch.float64)
    outputs, _ = network(inputs, None, (start,))
    assert_close(outputs, min_gru_in_log_space(network.layers[0].cell, inputs, start)[0])
