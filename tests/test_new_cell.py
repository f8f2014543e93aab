"""A new cell is a class of three methods and a line in the table; everything else takes it up.

Shapes: B rows, T steps, F features in, H hidden units, V tokens.
"""

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracles import Array, Weights, read_row, sigmoid
from torch import Tensor, nn

from rnn_lightning import Batch, LanguageModel, Tagger, check_invariance, hidden_size_for
from rnn_lightning.budget import cost_of, count_parameters, flops_per_step
from rnn_lightning.laws import LAWS
from rnn_lightning.recurrent import CELLS, Cell, WeightDrop, build_network, recurrent_weights

FEATURES, H, V = 3, 4, 7


class UpdateGateRNN(Cell):
    """f = s(W_f x + U_f h + b_f), h' = f * h + (1 - f) * tanh(W_n x + U_n h + b_n) (Collins et al. 2017, arXiv:1611.09913)."""

    label = "UGRNN"
    gates = ("forget", "candidate")

    def start(self, inputs: Tensor) -> Tensor:
        return self.zeros(inputs)

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, Tensor]:
        forget, candidate = (projected + F.linear(state, self.recurrent_weight)).chunk(2, 1)
        hidden = forget.sigmoid() * state + (1 - forget.sigmoid()) * candidate.tanh()
        return hidden, hidden


def equation(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    f, n = np.split(p["W"] @ x + p["U"] @ h + p["b"], 2)
    h = sigmoid(f) * h + (1 - sigmoid(f)) * np.tanh(n)
    return h, h


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(CELLS, "ugrnn", UpdateGateRNN)
    torch.manual_seed(0)
    yield


FORMS = [
    {"num_layers": layers, "bidirectional": ways == 2, "residual": residual, "dropout": dropout}
    for layers, ways, residual, dropout in product((1, 2), (1, 2), (False, True), (0.0, 0.5))
]
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


@every_form
def test_it_keeps_the_laws_in_every_form(form: dict[str, Any]) -> None:
    gaps = check_invariance(build_network("ugrnn", FEATURES, H, **form))
    assert len(gaps) == len(LAWS) - form["bidirectional"]


@every_form
def test_its_recurrent_weights_drop_out(form: dict[str, Any]) -> None:
    network = build_network("ugrnn", FEATURES, H, weight_drop=0.5, **form)
    assert isinstance(network, WeightDrop)
    assert len(recurrent_weights(network)) == form["num_layers"] * (2 if form["bidirectional"] else 1)
    inputs = torch.randn(2, 5, FEATURES)
    network(inputs)[0].sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()(inputs)[0].equal(copy.deepcopy(network)(inputs)[0])


def test_it_is_its_equation() -> None:
    network, inputs = build_network("ugrnn", FEATURES, H).double(), torch.randn(1, 6, FEATURES, dtype=torch.float64)
    named = {"W": "input_weight", "U": "recurrent_weight", "b": "bias"}
    weights = {letter: network.get_parameter(f"layers.0.cell.{name}").detach().numpy() for letter, name in named.items()}
    expected, last = read_row(equation, inputs[0].numpy(), np.zeros(H), weights)
    outputs, state = network(inputs)
    np.testing.assert_allclose(outputs[0].detach(), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(state[0][0].detach(), last, rtol=0, atol=1e-12)


def test_its_weights_start_as_those_of_any_other_cell() -> None:
    bias = build_network("ugrnn", FEATURES, H, forget_bias=-1.5).get_parameter("layers.0.cell.bias")
    assert bias.tolist() == [-1.5] * H + [0.0] * H
    weight = build_network("ugrnn", FEATURES, H).get_parameter("layers.0.cell.recurrent_weight")
    for block in weight.split(H):
        torch.testing.assert_close(block @ block.T, torch.eye(H), rtol=0, atol=1e-5)
    for parameter in build_network("ugrnn", FEATURES, H, init={"uniform": 0.1}, forget_bias=None).parameters():
        assert 0 < parameter.abs().max() <= 0.1


def test_its_cost_is_known_and_a_budget_gives_its_size() -> None:
    network = build_network("ugrnn", FEATURES, H)
    assert cost_of(network) == (2 * H * (FEATURES + H + 1), 2 * 2 * H * (FEATURES + H), 4 * H)
    assert flops_per_step(network) == cost_of(network).flops_per_step
    assert hidden_size_for("ugrnn", input_size=FEATURES, parameters=count_parameters(network)) == H


def test_a_language_model_and_a_tagger_are_made_of_it() -> None:
    rnn = {"cell": "ugrnn", "hidden_size": H, "num_layers": 2, "weight_drop": 0.2, "locked": True, "dropout": 0.1}
    model = LanguageModel(V, rnn, optimizer={"name": "sgd", "lr": 0.1})
    assert len(check_invariance(model)) == len(LAWS)
    tokens = torch.randint(V, (4, 6))
    model.training_step(Batch(tokens[:, :-1], torch.tensor([5, 3, 1, 2]), tokens[:, 1:]), 0).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    spelled = {"name": "rnn", "embedding_size": 2, "rnn": {"cell": "ugrnn", "hidden_size": 2, "bidirectional": True}}
    both_ways = {"cell": "ugrnn", "hidden_size": H, "bidirectional": True}
    tagger = Tagger(V, 3, both_ways, num_characters=5, characters=spelled)
    assert tagger(torch.ones(2, 3, 5, dtype=torch.int64))[0].shape == (2, 3, 3)


def test_a_table_knows_it_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"cell must be one of \[.*'ugrnn'.*\], not 'ugrn'"):
        build_network("ugrn", FEATURES, H)
    assert isinstance(build_network("ugrnn", FEATURES, H), nn.Module)
