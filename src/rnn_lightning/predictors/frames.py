"""Classes of the frames of signals.

Shapes: B signals, T frames.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ..models import FrameClassifier
from .base import Answer, Encoded, Predictor
from .folders import load_system, settings_of
from .inputs import make_inputs, segment


class FramePredictor(Predictor[FrameClassifier]):
    """The classes of a signal in their order, each once for all frames in a row that are of it, with its times.

    ``{"text": "s ah", "labels": [{"label": "s", "start": 0.0, "end": 0.12, "confidence": 0.8}, ...]}``; the confidence is the
    mean probability over the frames.
    """

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "FramePredictor":
        system = load_system(FrameClassifier, folder)
        return cls(system, make_inputs(settings_of(folder, "inputs"), folder, system.input_size), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        inputs, lengths = self.pad(batch)
        probabilities, classes = self.system(inputs, lengths)[0].softmax(2).max(2)
        answers = []
        for item, of_frames, numbers in zip(batch, probabilities, classes.tolist(), strict=True):
            labels, start = [], 0
            for number, frames in groupby(numbers[: len(item.steps)]):
                end = start + len(list(frames))
                labels.append(segment(item, self.system.classes[number], start, end, of_frames[start:end].mean().item()))
                start = end
            answers.append({"text": " ".join(part["label"] for part in labels), "labels": labels})
        return answers
