"""The memory of a training step: what is measured is what is allocated, and which cells keep more than a loop does."""

from typing import Any

import torch
from documents import ROOT
from torch import nn

from benchmarks.cells import SHAPES
from benchmarks.training_memory import allocated, compare, memory_of
from rnn_lightning.files import read_json
from rnn_lightning.recurrent import CELLS

ROWS: list[dict[str, Any]] = read_json(ROOT / "benchmarks/training_memory.json")["cells"]
SHARE = 1.15
KEEP_MORE = {"elman", "elman_relu", "lstm", "diagonal_gru", "diagonal_lstm", "qrnn1"}
"""Cells that keep more than `SHARE` times what the loop beside them keeps."""


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


def test_a_measurement_is_the_same_each_time() -> None:
    first, second = (compare("mingru", 5, 2, 8) for _ in range(2))
    assert first == second and first["kept_ratio"] <= SHARE
