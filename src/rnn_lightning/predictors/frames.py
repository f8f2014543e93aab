"""Classes of the frames of signals.

Shapes: B signals, T frames.
"""

from collections.abc import Sequence
from pathlib import Path

from ..items.base import Answer
from ..items.folders import settings_of
from ..items.inputs import Encoded, make_inputs
from ..items.signals import frames_answer
from ..models import FrameClassifier
from .base import Predictor, load_system


class FramePredictor(Predictor[FrameClassifier]):
    """The classes of a signal and their times, see `frames_answer`."""

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "FramePredictor":
        system = load_system(FrameClassifier, folder)
        return cls(system, make_inputs(settings_of(folder, "inputs"), folder, system.input_size), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        inputs, lengths = self.pad(batch)
        probabilities, classes = self.system(inputs, lengths)[0].softmax(2).max(2)
        rows = zip(batch, classes.tolist(), probabilities.cpu().numpy(), strict=True)
        return [frames_answer(*row, self.system.classes) for row in rows]
