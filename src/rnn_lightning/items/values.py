"""Real numbers for a sequence, or for each of its steps, as an answer.

Shapes: T steps, K targets, Q quantiles.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..quantiles import middle
from .base import Answer, Answerer
from .inputs import Encoded


class ValueAnswers(Answerer):
    """The value of each target, and of each step where there is one: ``{"text": "0.934217", "values": {"value": 0.9342...}}``.

    With quantiles there is ``quantiles``, ``{"value": {"0.1": ..., ...}}``, and the value is the middle one.
    """

    targets: Sequence[str]
    quantiles: Sequence[float] | None
    every_step: bool

    def answers_of(self, values: NDArray[np.float32], batch: Sequence[Encoded]) -> list[Answer]:
        """The answers for ``values`` (B, ..., K), or (B, ..., K, Q), of a batch."""
        several = values[..., None] if self.quantiles is None else values
        steps = [slice(len(item.steps)) if self.every_step else ... for item in batch]
        return [self.answer_of(row[real]) for row, real in zip(several, steps, strict=True)]

    def answer_of(self, values: NDArray[np.float32]) -> Answer:
        """The answer for ``values`` (K, Q) or (T, K, Q)."""
        names, quantiles = self.targets, self.quantiles
        chosen = dict(zip(names, np.moveaxis(values[..., middle(quantiles)], -1, 0).tolist(), strict=True))
        text = "; ".join(
            " ".join(f"{value:.6g}" for value in (each if self.every_step else [each])) for each in chosen.values()
        )
        answer: Answer = {"text": text, "values": chosen}
        if quantiles is not None:
            each = zip(names, np.moveaxis(values, (-2, -1), (0, 1)).tolist(), strict=True)
            answer["quantiles"] = {name: dict(zip(map(str, quantiles), some, strict=True)) for name, some in each}
        return answer
