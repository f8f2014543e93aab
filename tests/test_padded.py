"""Padded rows in groups of like length: equal to packed rows, in the cheapest groups, in time linear in the steps.

Shapes: B rows, T steps, F features in, H hidden units.
"""

import itertools
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_lightning.inference import prepared
from rnn_lightning.recurrent import build_network
from rnn_lightning.recurrent.fused import Fused
from rnn_lightning.recurrent.padded import CUTS, Cost, plan_groups
from rnn_lightning.sequences import leaves, map_state, permute_steps, reversal, reverse

F, H = 7, 6
BATCHES = {
    "few rows": [5, 2, 0, 3],
    "one row": [4],
    "all rows empty": [0, 0, 0],
    "many rows": [random.Random(row).randint(0, 30) for row in range(40)],
    "one long row": [200] + [3] * 20,
}


def cost_of(groups: Sequence[Sequence[int]], lengths: Sequence[int], cost: Cost) -> float:
    return sum(cost.padded(len(group), max(1, *(lengths[row] for row in group), 0)) for group in groups)


def divisions(rows: list[int]) -> list[list[list[int]]]:
    """Every way to cut ``rows`` into runs of neighbours."""
    places = range(1, len(rows))
    chosen = itertools.chain.from_iterable(itertools.combinations(places, number) for number in range(len(rows)))
    return [[rows[a:b] for a, b in itertools.pairwise([0, *cuts, len(rows)])] for cuts in chosen]


@pytest.mark.parametrize("cost", [Cost(0, 0), Cost(2, 10), Cost(20, 3), Cost(1, 1000)])
@pytest.mark.parametrize("seed", range(5))
def test_no_division_into_groups_is_cheaper(cost: Cost, seed: int) -> None:
    draws = random.Random(seed)
    lengths = [draws.choice([0, 1, 5, 9, 50]) for _ in range(8)]
    groups = plan_groups(lengths, cost)
    assert sorted(itertools.chain(*groups)) == list(range(8))
    order = sorted(range(8), key=lambda row: -lengths[row])
    least = min(cost_of(division, lengths, cost) for division in divisions(order))
    assert cost_of(groups, lengths, cost) == pytest.approx(least)
    assert plan_groups(lengths, cost, bound=least) == [] and plan_groups(lengths, cost, bound=least + 1e-6) == groups


def test_large_batches_are_cut_at_few_places() -> None:
    lengths = list(range(1, 1001))
    groups = plan_groups(lengths, Cost(1, 0))
    assert sorted(itertools.chain(*groups)) == list(range(1000)) and 2 < len(groups) <= CUTS


def everything(network: Any, lengths: list[int]) -> list[Tensor]:
    """Outputs, states and all gradients of a batch that begins from a state that is not zero."""
    draws = torch.Generator().manual_seed(3)
    steps = max(*lengths, 1) + 2
    dtype = next(network.parameters()).dtype
    inputs = torch.randn(len(lengths), steps, F, generator=draws, dtype=dtype).requires_grad_()
    state = map_state(lambda part: torch.randn(part.shape, generator=draws, dtype=dtype), network.start(inputs))
    for leaf in leaves(state):
        leaf.requires_grad_()
    network.zero_grad()
    torch.manual_seed(5)
    outputs, after = network(inputs, torch.tensor(lengths), state)
    (outputs.sin().sum() + sum(leaf.cos().sum() for leaf in leaves(after))).backward()
    gradients = [part.grad for part in (inputs, *leaves(state), *network.parameters())]
    assert all(gradient is not None for gradient in gradients)
    return [
        outputs.detach(),
        *(leaf.detach() for leaf in leaves(after)),
        *(gradient for gradient in gradients if gradient is not None),
    ]


def always_in_groups(monkeypatch: pytest.MonkeyPatch, cost: Cost) -> None:
    monkeypatch.setattr(Fused, "_groups", lambda self, inputs, lengths: plan_groups(lengths.tolist(), cost))


def always_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fused, "_groups", lambda self, inputs, lengths: [])


@pytest.mark.parametrize("weight_drop", [0.0, 0.5])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
@pytest.mark.parametrize("batch", BATCHES)
def test_groups_equal_packed_rows_in_outputs_states_and_gradients(
    batch: str, cell: str, bidirectional: bool, weight_drop: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    network = build_network(cell, F, H, 2, bidirectional=bidirectional, weight_drop=weight_drop).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    always_packed(monkeypatch)
    packed = everything(network, BATCHES[batch])
    for cost in (Cost(1, 0), Cost(1, 1e9)):  # as many groups as there are lengths, and one
        always_in_groups(monkeypatch, cost)
        for one, two in zip(everything(network, BATCHES[batch]), packed, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_single_precision_and_autocast_agree_with_packed_rows(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network(cell, F, 16, 2, bidirectional=True)
    compiled = everything(network, BATCHES["many rows"])
    monkeypatch.setattr(Fused, "at_once", False)
    always_packed(monkeypatch)
    packed = everything(network, BATCHES["many rows"])
    always_in_groups(monkeypatch, Cost(1, 50))
    for found in (compiled, everything(network, BATCHES["many rows"])):
        for one, two in zip(found, packed, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        half = everything(network, BATCHES["many rows"])
    assert all(part.isfinite().all() for part in half)
    assert (half[0].float() - packed[0]).abs().max() < 0.05


def test_the_memory_cell_is_kept_bit_for_bit_behind_a_row() -> None:
    """However long the padding, the state is that of the row alone."""
    network = build_network("lstm", F, 16)
    inputs = torch.randn(2, 900, F)
    _, (_, cell) = network(inputs, torch.tensor([5, 900]))
    _, (_, alone) = network(inputs[:, :5], torch.tensor([5, 5]))
    torch.testing.assert_close(cell[0], alone[0], rtol=1e-5, atol=1e-6)


def groups_of(cell: str, lengths: list[int], hidden_size: int = 128, **options: Any) -> list[list[int]]:
    network: Any = build_network(cell, 8, hidden_size, **options)
    return network._groups(torch.zeros(len(lengths), max(lengths), 8), torch.tensor(lengths))


def test_packing_stays_where_it_is_faster_or_all_there_is() -> None:
    assert groups_of("lstm", [9, 3]) == [[0, 1]]
    assert len(groups_of("lstm", [400] + [10] * 60)) == 2
    assert len(groups_of("gru", [400] * 20 + [300] * 20)) >= 1
    assert groups_of("gru", [9, 3], 512) == []
    assert groups_of("elman_relu", [400] * 20 + [300] * 20) == []  # its outputs in the padding may be infinite
    with torch.no_grad():  # no gradient, nothing that is quadratic
        assert groups_of("gru", [400] * 20 + [300] * 20) == []
    network: Any = prepared(build_network("lstm", 8, 16), "int8")
    assert network._groups(torch.zeros(2, 9, 8), torch.tensor([9, 3])) == []
    assert network(torch.zeros(2, 9, 8), torch.tensor([9, 3]))[0].shape == (2, 9, 16)


def test_costs_are_finite_where_rows_are_compared() -> None:
    network: Any = build_network("gru", 8, 128, 2, bidirectional=True)
    assert 0 < network.cost_packed([5, 3]) < math.inf and network.cost().step > 1


ORDERS: list[Callable[[Tensor, Tensor], Tensor]] = [
    reverse,
    lambda rows, lengths: permute_steps(rows, reversal(lengths, rows.shape[1])),
]


@pytest.mark.parametrize("turn", ORDERS)
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2), (3, 5, 2, 2), (3, 5, 0)])
def test_rows_are_reversed_one_by_one(turn: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...]) -> None:
    rows, lengths = torch.randn(shape), torch.tensor([5, 0, 3])
    expected = rows.clone()
    for row, length in enumerate(lengths.tolist()):
        expected[row, :length] = rows[row, :length].flip(0)
    assert turn(rows, lengths).equal(expected)


@pytest.mark.slow
def test_the_time_of_training_is_linear_in_the_steps() -> None:
    """Packing takes 16 times as long or more for four times the steps; a bound of 6 leaves room for a busy machine."""
    network, seconds = build_network("lstm", 32, 32, bidirectional=True), {}
    for steps in (1000, 4000):
        inputs, lengths = torch.randn(8, steps, 32), torch.randint(steps // 2, steps, (8,))
        taken = []
        for _ in range(5):
            began = time.process_time()
            network(inputs, lengths)[0].sum().backward()
            taken.append(time.process_time() - began)
        seconds[steps] = min(taken)
    assert seconds[4000] < 6 * seconds[1000], seconds
