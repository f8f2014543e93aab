"""A class for each text or signal.

Shapes: B items, T steps, C classes.
"""

from collections.abc import Sequence
from pathlib import Path

from ..items.base import Answer
from ..items.folders import settings_of
from ..items.inputs import Encoded, Inputs, make_inputs
from ..models import SequenceClassifier
from .base import Predictor, load_system


class ClassificationPredictor(Predictor[SequenceClassifier]):
    """The likeliest class and its probability: ``{"text": "seven", "confidence": 0.98}``."""

    def __init__(self, system: SequenceClassifier, inputs: Inputs, *, batch_size: int = 16) -> None:
        """Classify by ``system``; classes without names are called by their numbers.

        Raises:
            ValueError: for a system whose answer is a real value.
        """
        super().__init__(system, inputs, batch_size=batch_size)
        if system.num_classes is None:
            raise ValueError("a system without num_classes answers with a real value: take RegressionPredictor")
        self.classes: Sequence[str] = system.classes or [str(number) for number in range(system.num_classes)]

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "ClassificationPredictor":
        return cls(*load_classifier(folder), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        probabilities, numbers = self.system(*self.pad(batch))[0].softmax(1).max(1)
        pairs = zip(numbers.tolist(), probabilities.tolist(), strict=True)
        return [{"text": self.classes[number], "confidence": probability} for number, probability in pairs]


def load_classifier(folder: str | Path) -> tuple[SequenceClassifier, Inputs]:
    """The `SequenceClassifier` in a folder, and what encodes items for it."""
    system = load_system(SequenceClassifier, folder)
    size = system.input_size if system.vocab_size is None else system.vocab_size
    return system, make_inputs(settings_of(folder, "inputs"), folder, size)
