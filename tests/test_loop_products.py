"""Decoding with input feeding in training: products that share a weight give the gradients of plain ones."""

from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning import Seq2Seq
from rnn_lightning.inference import prepared
from rnn_lightning.loop_products import LoopProduct, has_loop_products, loop_products
from rnn_lightning.sequences import IGNORED, Batch

PLAIN = patch("rnn_lightning.loop_products.has_loop_products", lambda inputs: False)


def make(cell: str, **options: Any) -> Seq2Seq:
    torch.manual_seed(1)
    rnn = {"cell": cell, "hidden_size": 6, "num_layers": 2}
    return Seq2Seq(9, 9, rnn, end=0, encoder={"bidirectional": True}, embedding_size=5, input_feeding=True, **options)


def batch() -> Batch:
    sources = torch.randint(1, 9, (4, 7))
    targets = torch.randint(1, 9, (4, 5))
    lengths = torch.tensor([5, 4, 3, 2])
    targets[torch.arange(4), lengths - 1] = 0
    targets[torch.arange(5) >= lengths.unsqueeze(1)] = IGNORED
    return Batch(sources, torch.tensor([7, 6, 5, 3]), targets, lengths)


def gradients(system: Seq2Seq, some: Batch, seed: int = 0) -> list[Tensor]:
    torch.manual_seed(seed)
    loss, _ = system.loss_on(some, "train")
    return [loss.detach(), *torch.autograd.grad(loss, list(system.parameters()))]


def test_they_are_there() -> None:
    """Where a new PyTorch lacks what they need, training with input feeding is slower, and this test says so."""
    assert has_loop_products(torch.zeros(1, requires_grad=True))


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman", "elman_relu", "layernorm_lstm"])
def test_loss_and_gradients_are_those_of_plain_products(cell: str) -> None:
    system, some = make(cell), batch()
    found = gradients(system, some)
    with PLAIN:
        plain = gradients(system, some)
    exact = gradients(system.double(), some)
    for one, other, third in zip(found, plain, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(one.double(), third, rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(one, other) for one, other in zip(found, plain, strict=True)), "nothing was replaced"


@pytest.mark.parametrize(
    "options", [{"dropout": 0.3}, {"decoder": {"dropout": 0.3, "locked": True}}, {"decoder": {"weight_drop": 0.3}}]
)
def test_masks_are_those_of_plain_products(options: dict[str, Any]) -> None:
    system, some = make("lstm", **options), batch()
    found = gradients(system, some)
    with PLAIN:
        plain = gradients(system, some)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def loop(product: Any, start: Tensor, steps: int) -> list[Tensor]:
    """A recurrence by ``product``: what it is after each step."""
    states = [start]
    for _ in range(steps):
        states.append(product(states[-1]).tanh())
    return states[1:]


def test_several_backward_passes_and_parts_of_the_graph() -> None:
    """What one backward pass has seen is of no weight in another, whatever part of the graph each goes through."""
    layer, start = nn.Linear(4, 4), torch.randn(3, 4)
    parameters, states = [layer.weight, layer.bias], loop(LoopProduct(layer.weight, layer.bias), start, 5)
    expected = loop(layer, start, 5)
    torch.autograd.grad(states[4].sum(), states[1], retain_graph=True)  # to no parameter: only the last steps
    for last in (2, 4, 0, 4):
        found = torch.autograd.grad(states[last].square().sum(), parameters, retain_graph=True)
        plain = torch.autograd.grad(expected[last].square().sum(), parameters, retain_graph=True)
        torch.testing.assert_close(found, plain)


def test_a_prepared_decoder_keeps_its_own_products() -> None:
    decoder = prepared(make("lstm")).decoder
    before = [getattr(part, "products", None) for part in decoder.modules()]
    with loop_products(torch.zeros(1, requires_grad=True), decoder):
        assert [getattr(part, "products", None) for part in decoder.modules()] == before


def test_a_parameter_that_does_not_learn() -> None:
    layer = nn.Linear(4, 4)
    layer.weight.requires_grad_(False)
    start = torch.randn(3, 4, requires_grad=True)
    wanted = [layer.bias, start]
    found = torch.autograd.grad(loop(LoopProduct(layer.weight, layer.bias), start, 3)[-1].sum(), wanted)
    torch.testing.assert_close(found, torch.autograd.grad(loop(layer, start, 3)[-1].sum(), wanted))


def test_second_derivatives_are_refused() -> None:
    layer = nn.Linear(4, 4)
    last = loop(LoopProduct(layer.weight, layer.bias), torch.randn(3, 4, requires_grad=True), 2)[-1]
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad(last.sum(), layer.weight, create_graph=True)


def test_layers_are_as_before_after_the_loop_even_where_it_fails() -> None:
    system, inputs = make("lstm"), torch.zeros(1, requires_grad=True)
    names = list(system.state_dict())
    with pytest.raises(KeyError), loop_products(inputs, system.decoder):
        assert system.decoder.output.loop is not None and list(system.state_dict()) == names
        raise KeyError
    assert system.decoder.output.loop is None
    assert all(getattr(part, "products", None) is None for part in system.modules())
