"""The adding problem: add two marked numbers out of many.

Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, in the form of Le, Jaitly & Hinton, "A
Simple Way to Initialize Recurrent Networks of Rectified Linear Units", arXiv:1504.00941, 2015.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .card import CardFields
from .corpus import Pairs
from .generated import GeneratedArrays, check_steps


class Adding(GeneratedArrays):
    """The adding problem: pairs of inputs (T, 2) and a float target.

    Feature 0 is uniform on [0, 1); feature 1 marks two steps with 1, one in each half of the sequence. The target is the
    sum of the two marked numbers. The best constant answer, 1, has the mean squared error 1/6.
    """

    def __init__(self, *, steps: int, rows: Mapping[str, int], seed: int) -> None:
        super().__init__(rows=rows, seed=seed)
        check_steps({"steps": (steps, 2)})  # one for each half
        self.steps = steps

    def parameters(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def inputs(self) -> dict[str, Any]:
        return {"name": "arrays", "features": ["number", "mark"]}

    def draw(self, rows: int, generator: np.random.Generator) -> Pairs:
        half = self.steps // 2
        inputs = np.zeros((rows, self.steps, 2), dtype=np.float32)  # (R, T, 2)
        inputs[:, :, 0] = generator.random((rows, self.steps), dtype=np.float32)
        marked = np.stack([generator.integers(0, half, rows), generator.integers(half, self.steps, rows)], axis=1)  # (R, 2)
        row = np.arange(rows)[:, None]  # (R, 1)
        inputs[row, marked, 1] = 1
        targets = inputs[row, marked, 0].sum(axis=1)  # (R,)
        offsets = np.arange(rows + 1, dtype=np.int64) * self.steps
        return Pairs(inputs.reshape(-1, 2), offsets, targets)

    def card_fields(self, source: Mapping[str, Any]) -> CardFields:
        title = f"Adding problem, {self.steps} steps"
        return CardFields(title, source, references={"baseline_mean_squared_error": 1 / 6})
