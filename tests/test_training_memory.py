"""The memory of a training step: what is measured is what is allocated, and which cells keep more than a loop does."""

from typing import Any

import pytest
import torch
from documents import ROOT
from torch import nn

from benchmarks.cells import SHAPES
from benchmarks.training_memory import allocated, compare, memory_of
from rnn_lightning.files import read_json
from rnn_lightning.recurrent import CELLS, build_network
from rnn_lightning.recurrent.kernels import library

ROWS: list[dict[str, Any]] = read_json(ROOT / "benchmarks/training_memory.json")["cells"]
SHARE = 1.15
KEEP_MORE = {"lstm", "diagonal_gru", "diagonal_lstm", "qrnn1"}
"""Cells that keep more than `SHARE` times what the loop beside them keeps; the first one is torch.nn's."""
TAKE_MORE = {*KEEP_MORE - {"qrnn1"}, "elman", "elman_relu", "minlstm", "sru", "qrnn", "lru", "indrnn"}
"""Cells that take more at once than so many times what the loop takes."""


def test_what_is_allocated_is_counted() -> None:
    given = torch.ones(1000)
    assert allocated(lambda: given * given + given) == (4000, 8000)
    assert allocated(lambda: float((given * given).sum())) == (0, 4004)


def test_a_layer_keeps_its_output_and_takes_gradients() -> None:
    layer, inputs = nn.Linear(50, 40), torch.randn(30, 7, 50)
    network: Any = nn.Module()
    network.forward = lambda values: (layer(values).tanh(), None)
    network.layer = layer
    outputs = 4 * 30 * 7 * 40
    found = memory_of(network, inputs)
    assert found["kept"] == outputs
    assert found["peak"] >= outputs + 4 * (50 * 40 + 40)


def test_every_cell_is_measured_and_these_keep_more_than_a_loop() -> None:
    assert [(row["cell"], row["steps"], row["rows"], row["units"]) for row in ROWS] == [
        (cell, *shape) for shape in SHAPES for cell in CELLS
    ]
    assert {row["cell"] for row in ROWS if row["kept_ratio"] > SHARE} == KEEP_MORE
    assert {row["cell"] for row in ROWS if row["peak_ratio"] > SHARE} == TAKE_MORE


@pytest.mark.parametrize("cell", ["elman", "elman_relu", "gru", "peephole_lstm", "layernorm_lstm"])
def test_gradients_of_compiled_layers_are_there_for_some_steps_at_a_time(cell: str) -> None:
    """The memory of the way back beyond what is kept does not grow with the steps."""
    beyond = []
    for steps in (200, 800):
        network, inputs = build_network(cell, 16, 16), torch.randn(8, steps, 16)
        found = memory_of(network, inputs)
        beyond.append(found["peak"] - found["kept"])
    assert library() is None or beyond[1] < 1.5 * beyond[0]


def test_a_measurement_is_the_same_each_time() -> None:
    first, second = (compare("mingru", 5, 2, 8) for _ in range(2))
    assert first == second and first["kept_ratio"] <= SHARE
