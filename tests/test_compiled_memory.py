"""Compiled steps read memory: whatever tensors come, they read contiguous numbers in single precision, or do not compute.

Shapes: B rows, T steps, F features, H hidden units.
"""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from rnn_lightning.recurrent import build_network
from rnn_lightning.recurrent.compiled import addresses
from rnn_lightning.sequences import leaves, map_state

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler (cc)")
B, T, F, H = 4, 9, 3, 5
CELLS = ["elman", "elman_relu", "gru", "lstm", "peephole_lstm", "layernorm_lstm"]
LENGTHS = torch.tensor([T, 2, 0, 5])
FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "dense": lambda tensor: tensor.clone(),
    "strided": lambda tensor: torch.stack([tensor, tensor], -1)[..., 0],
    "turned round": lambda tensor: tensor.t().contiguous().t() if tensor.dim() == 2 else tensor.flip(0).flip(0),
    "negative": lambda tensor: torch._neg_view(-tensor),  # pyright: ignore[reportPrivateImportUsage]
    "a part": lambda tensor: torch.cat([tensor, tensor])[: len(tensor)],
}
every_cell = pytest.mark.parametrize("cell", CELLS)


def network_of(cell: str) -> Any:
    network = build_network(cell, F, H, 2, bidirectional=True)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return network


def gradients(outputs: Tensor, after: Any, wanted: list[Tensor], form: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Those of weighted outputs and states, which come to the network in a form."""
    made = [outputs, *leaves(after)]
    return list(torch.autograd.grad(made, wanted, [form(part.detach().cos()) for part in made]))


@every_cell
@pytest.mark.parametrize("form", list(FORMS)[1:])
def test_the_form_of_a_tensor_changes_no_number(cell: str, form: str) -> None:
    """Of all weights, the inputs, the state at the start and the gradients that come from outside."""
    network, found = network_of(cell), []
    weights = {name: part.detach() for name, part in network.named_parameters()}
    inputs, state = torch.randn(B, T, F), map_state(torch.randn_like, network.start(torch.randn(B, T, F)))
    for shape in (FORMS["dense"], FORMS[form]):
        given = {name: shape(part).requires_grad_() for name, part in weights.items()}
        start = map_state(lambda part, shape=shape: shape(part).requires_grad_(), state)
        for lengths in (None, LENGTHS):
            outputs, after = functional_call(network, given, (shape(inputs.flatten(1)).unflatten(1, (T, F)), lengths, start))
            found += [outputs, *leaves(after), *gradients(outputs, after, [*given.values(), *leaves(start)], shape)]
    half = len(found) // 2
    for one, two in zip(found[:half], found[half:], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@every_cell
def test_hooks_of_saved_tensors_may_give_them_back_in_another_form(cell: str) -> None:
    network, inputs, found = network_of(cell), torch.randn(B, T, F), []
    for form in ("dense", "strided"):
        with torch.autograd.graph.saved_tensors_hooks(FORMS[form], FORMS[form]):
            outputs, after = network(inputs, LENGTHS)
        found.append(gradients(outputs, after, list(network.parameters()), FORMS["dense"]))
    torch.testing.assert_close(*found)


@every_cell
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_a_backward_pass_within_autocast_is_that_of_its_forward_pass(cell: str, lengths: Tensor | None) -> None:
    """Its products would be of half precision, which compiled steps cannot read."""
    network, inputs, found = network_of(cell), torch.randn(B, T, F), []
    for inside in (False, True):
        outputs, after = network(inputs, lengths)
        with torch.autocast("cpu", torch.bfloat16, enabled=inside):
            found.append(gradients(outputs, after, list(network.parameters()), FORMS["dense"]))
    exact = cell != "lstm" or lengths is not None  # oneDNN's own layer takes rows of one length
    torch.testing.assert_close(*found, rtol=0 if exact else 0.05, atol=0 if exact else 0.05)


@every_cell
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_weights_of_another_precision_are_refused_or_computed_with(cell: str, dtype: torch.dtype) -> None:
    """Of any layer and direction; never are they read as if they were of single precision."""
    network, inputs = network_of(cell), torch.randn(B, T, F)
    last = list(network.parameters())[-1]
    last.data = last.data.to(dtype)
    try:
        found = network(inputs, LENGTHS)[0]
    except (RuntimeError, ValueError) as error:
        assert "dtype" in str(error) or "type" in str(error)
    else:
        torch.testing.assert_close(found.double(), network.double()(inputs.double(), LENGTHS)[0], rtol=1e-5, atol=1e-6)


@every_cell
def test_tensors_without_memory_are_not_read(cell: str) -> None:
    with FakeTensorMode():
        assert network_of(cell)(torch.randn(B, T, F))[0].shape == (B, T, 2 * H)


WRONG = [torch.ones(3, 2).t(), torch.ones(3).double(), torch.ones(1).expand(3), FORMS["negative"](torch.ones(3))]


@pytest.mark.parametrize("tensor", WRONG, ids=["transposed", "double", "expanded", "negative"])
def test_the_last_look_before_memory_is_read_refuses_what_is_no_single_precision(tensor: Tensor) -> None:
    with pytest.raises(RuntimeError, match="read contiguous numbers in single precision, not torch"):
        addresses([None, tensor])
