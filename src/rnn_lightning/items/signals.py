"""Labels of a signal with their times as an answer.

Shapes: T steps, U labels.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Answer
from .inputs import Encoded


def frames_answer(item: Encoded, numbers: Sequence[int], confidences: NDArray[np.float32], classes: Sequence[str]) -> Answer:
    """The classes of a signal in their order, each once for all frames in a row that are of it, with its times.

    ``{"text": "s ah", "labels": [{"label": "s", "start": 0.0, "end": 0.12, "confidence": 0.8}, ...]}`` from the ``numbers`` of
    the classes of its frames and the ``confidences`` in them, whose mean a label has.
    """
    labels, start = [], 0
    for number, frames in groupby(numbers[: len(item.steps)]):
        end = start + len(list(frames))
        labels.append(segment(item, classes[number], start, end, confidences[start:end].mean().item()))
        start = end
    return {"text": " ".join(part["label"] for part in labels), "labels": labels}


def labels_answer(
    item: Encoded,
    text: str,
    score: float,
    *,
    names: Sequence[str],
    times: Iterable[tuple[int, int, float]],
    stride: int,
) -> Answer:
    """The ``text`` of a signal, its log-probability, and from when to when each label lasts, how surely.

    ``{"text": "12", "score": -0.3, "labels": [{"label": "1", "first_step": 4, "steps": 2, "confidence": 0.9}, ...]}``; of
    sound, labels have ``start`` and ``end`` in seconds. ``times`` are the steps, after subsampling by ``stride``, at which each
    of the labels, called ``names``, begins and ends, and its confidence.
    """
    spans = [
        segment(item, name, stride * start, stride * end, confidence)
        for name, (start, end, confidence) in zip(names, times, strict=False)
    ]
    return {"text": text, "score": score, "labels": spans}


def segment(item: Encoded, label: str, start: int, end: int, confidence: float) -> dict[str, Any]:
    """A label from step ``start`` up to, not including, step ``end``: in seconds where the item has them, else in steps."""
    start, end = min(start, len(item.steps)), min(end, len(item.steps))
    if item.source is None:
        return {"label": label, "first_step": start, "steps": end - start, "confidence": confidence}
    begin, over = item.source[[start, end]].tolist()
    return {"label": label, "start": round(begin, 4), "end": round(over, 4), "confidence": confidence}
