"""Costs against PyTorch's own counter and the textbook's formulas, and budgets against a search by hand."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rnn_lightning.budget import Cost, cost_of, costs_at, count_parameters, flops_per_step, hidden_size_for
from rnn_lightning.recurrent import CELLS, build_network, recurrent_weights

COUNTED = [cell for cell, architecture in CELLS.items() if architecture.backend != "fused"]
"""The cells whose products PyTorch's counter sees; within a fused kernel it sees none."""

every_cell = pytest.mark.parametrize("cell", CELLS)


class Tied(nn.Module):
    """A stand-in for a language model: an embedding, a network, and an output layer, of one weight with the embedding."""

    def __init__(self, cell: str, hidden_size: int, tied: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, hidden_size)
        self.network = build_network(cell, hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, 50)
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.output(self.network(self.embedding(tokens))[0])


def counted(module: nn.Module, inputs: torch.Tensor) -> int:
    """The FLOPs that PyTorch sees while ``module`` reads one step of one row."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize("cell", COUNTED)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_flops_of_unrolled_cells_are_those_that_pytorch_counts(cell: str, bidirectional: bool) -> None:
    network = build_network(cell, 5, 7, 2, bidirectional=bidirectional, residual=True)
    assert flops_per_step(network) == counted(network, torch.randn(1, 1, 5))


@pytest.mark.parametrize("cell", COUNTED)
@pytest.mark.parametrize("tied", [False, True])
def test_an_embedding_costs_nothing_and_a_tied_weight_where_it_is_multiplied(cell: str, tied: bool) -> None:
    model = Tied(cell, 6, tied)
    assert flops_per_step(model) == counted(model, torch.zeros(1, 1, dtype=torch.int64))
    assert count_parameters(model) == count_parameters(Tied(cell, 6, False)) - (50 * 6 if tied else 0)


def test_flops_of_layers_are_those_that_pytorch_counts() -> None:
    shared = nn.Linear(7, 7)
    model = nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), shared, nn.Tanh(), shared)
    assert flops_per_step(model) == counted(model, torch.randn(1, 5))


@every_cell
@settings(derandomize=True, deadline=None, max_examples=15)
@given(features=st.integers(1, 40), hidden=st.integers(1, 40), layers=st.integers(1, 3), directions=st.integers(1, 2))
def test_flops_are_two_for_each_weight_of_each_gate(
    cell: str, features: int, hidden: int, layers: int, directions: int
) -> None:
    with torch.device("meta"):
        network = build_network(cell, features, hidden, layers, bidirectional=directions == 2)
    widths = [getattr(CELLS[cell], "window", 1) * width for width in [features, *[hidden * directions] * (layers - 1)]]
    read_back = hidden if any(weight.dim() == 2 for _, weight in recurrent_weights(network)) else 0
    gates, read_out = len(CELLS[cell].gates), {"lru": 2 * hidden, "lstmp": hidden}.get(cell, 0)  # of a complex state; projected
    rows = 4 * hidden + 2 if cell == "mlstm" else gates * hidden  # two of its gates are one a head
    assert flops_per_step(network) == sum(2 * directions * (rows * (width + read_back) + hidden * read_out) for width in widths)


@every_cell
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=["plain", "deep, both ways"])
@settings(derandomize=True, deadline=None, max_examples=8)
@given(budget=st.integers(3_000, 3_000_000))
def test_no_other_hidden_size_is_nearer_to_the_budget(cell: str, options: dict[str, Any], budget: int) -> None:
    chosen = hidden_size_for(cell, input_size=10, parameters=budget, **options)

    def distance(hidden_size: int) -> int:
        with torch.device("meta"):
            return abs(count_parameters(build_network(cell, 10, hidden_size, **options)) - budget)

    assert distance(chosen) < distance(chosen - 1) if chosen > 1 else True
    assert distance(chosen) <= distance(chosen + 1)


@every_cell
@pytest.mark.parametrize("hidden_size", [1, 2, 3, 17, 650])
def test_a_budget_that_is_met_exactly_gives_the_size_back(cell: str, hidden_size: int) -> None:
    with torch.device("meta"):
        network = build_network(cell, 9, hidden_size, 2)
    assert hidden_size_for(cell, input_size=9, num_layers=2, parameters=count_parameters(network)) == hidden_size
    assert hidden_size_for(cell, input_size=9, num_layers=2, flops=flops_per_step(network)) == hidden_size


def test_of_two_as_near_the_smaller_is_taken() -> None:
    def line(hidden_size: int) -> nn.Module:
        return nn.Linear(hidden_size, 10, bias=False)

    assert hidden_size_for("lstm", build=line, parameters=45) == 4
    assert hidden_size_for("lstm", build=line, parameters=46) == 5
    assert hidden_size_for("lstm", build=line, flops=90) == 4


@pytest.mark.parametrize("tied", [False, True])
def test_a_whole_system_can_be_counted(tied: bool) -> None:
    chosen = hidden_size_for("lstm", build=lambda hidden_size: Tied("lstm", hidden_size, tied), parameters=100_000)
    gaps = {size: abs(count_parameters(Tied("lstm", size, tied)) - 100_000) for size in range(chosen - 3, chosen + 4)}
    assert min(gaps, key=gaps.__getitem__) == chosen


def test_a_module_that_looks_at_its_weights_is_built_for_real_and_draws_nothing() -> None:
    def scaled(hidden_size: int) -> nn.Module:
        module = nn.Linear(hidden_size, 10, bias=False)
        assert module.weight.abs().max().item() > 0
        return module

    random = torch.get_rng_state()
    assert hidden_size_for("lstm", build=scaled, parameters=1_000) == 100
    assert torch.get_rng_state().equal(random)


def test_counting_takes_no_memory() -> None:
    random = torch.get_rng_state()
    assert hidden_size_for("lstm", input_size=10, parameters=10**13) > 10**6
    assert torch.get_rng_state().equal(random)


def test_frozen_parameters_are_not_learned() -> None:
    layer = nn.Linear(3, 4)
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 12


def test_the_table_compares_cells_at_one_budget() -> None:
    table = costs_at(CELLS, input_size=16, parameters=50_000, num_layers=2)
    assert list(table) == list(CELLS)
    for cell, (hidden_size, cost) in table.items():
        assert cost == cost_of(build_network(cell, 16, hidden_size, 2))
        assert abs(cost.parameters - 50_000) < 1_000
        of_units = cost_of(build_network(cell, hidden_size, hidden_size)).state_bytes
        of_inputs = 4 * (16 - hidden_size) if cell == "qrnn" else 0  # the first layer keeps its last input
        assert cost.state_bytes == 2 * of_units + of_inputs
    assert cost_of(build_network("elman", 2, 3)) == Cost(parameters=21, flops_per_step=30, state_bytes=12)
    assert cost_of(build_network("lstm", 2, 3, bidirectional=True).double()).state_bytes == 2 * 2 * 3 * 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 4}, "give one budget, parameters or flops, not neither"),
        ({"input_size": 4, "parameters": 9, "flops": 9}, "give one budget, parameters or flops, not both"),
        ({"input_size": 4, "parameters": 27}, "lstm takes 28 parameters at hidden size 1, over the budget of 27"),
        ({"input_size": 4, "flops": 39}, "lstm takes 40 FLOPs a step at hidden size 1, over the budget of 39"),
        ({"parameters": 9}, "describe the network by input_size and build_network's keywords, or by build, and not by both"),
        (
            {"parameters": 9, "build": nn.Identity, "num_layers": 2},
            "describe the network by input_size and build_network's keywords, or by build, and not by both",
        ),
        (
            {"parameters": 99, "build": lambda _: nn.Linear(2, 3)},
            "the cost must grow with the hidden size; it is 9 at 1 and at 2",
        ),
    ],
)
def test_a_budget_that_cannot_be_spent_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        hidden_size_for("lstm", **arguments)
    assert str(raised.value) == message


def test_a_wrong_network_is_refused_by_build_network_itself() -> None:
    with pytest.raises(ValueError, match="cell must be one of"):
        hidden_size_for("lstmm", input_size=4, parameters=100)
    with pytest.raises(ValueError, match="num_layers must be a whole number"):
        hidden_size_for("lstm", input_size=4, num_layers=0, parameters=100)
