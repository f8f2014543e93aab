"""A real value for each text or signal.

Shapes: B items, T steps.
"""

from collections.abc import Sequence
from pathlib import Path

from ..items.base import Answer
from ..items.inputs import Encoded, Inputs
from ..models import SequenceClassifier
from .base import Predictor
from .classification import load_classifier


class RegressionPredictor(Predictor[SequenceClassifier]):
    """The value, as a number and in six digits: ``{"text": "0.934217", "value": 0.9342169761657715}``."""

    def __init__(self, system: SequenceClassifier, inputs: Inputs, *, batch_size: int = 16) -> None:
        """Answer by ``system``.

        Raises:
            ValueError: for a system whose answer is a class.
        """
        super().__init__(system, inputs, batch_size=batch_size)
        if system.num_classes is not None:
            raise ValueError("a system with num_classes answers with a class: take ClassificationPredictor")

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "RegressionPredictor":
        return cls(*load_classifier(folder), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        values = self.system(*self.pad(batch))[0].squeeze(1)
        return [{"text": f"{value:.6g}", "value": value} for value in values.tolist()]
