"""Signals heard and read by a stored run: a line names a sound file or holds the way of a pen, and gives a line.

Shapes: B signals, T steps of the longest, F features.
"""

import json
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor

from pipelines.kinds.lines import LineReader
from pipelines.settings.schema import ClassSpec
from rnn_lightning.corpora.corpus import Signal
from rnn_lightning.data.pairs import side_by_side
from rnn_lightning.files import read_json
from rnn_lightning.systems.ctc_recognizer import CTCRecognizer
from rnn_lightning.systems.frame_classifier import FrameClassifier
from rnn_lightning.systems.sequence_classifier import SequenceClassifier

Answer = dict[str, Any]
"""What is said of a signal: its ``text``, and how surely."""


class SignalRequest(BaseModel):
    """``run`` is a run's folder. ``format`` is ``text`` or ``json``: ``{"line": ..., "text": ..., ...}`` a line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Path
    format: Literal["text", "json"] = "text"
    batch_size: PositiveInt = 16


class RecognitionRequest(SignalRequest):
    """With ``beam_size`` the labels are those of a search over prefixes, else those of the best path."""

    beam_size: PositiveInt | None = None


class SignalReader(LineReader):
    """A stored model of signals, with what makes features of a line as its corpus did.

    A line that stands for no signal is named on standard error and answered by an empty one, as is an empty one.
    """

    def __init__(self, request: SignalRequest) -> None:
        """Load the run's corpus.

        Raises:
            ValueError: where lines cannot stand for what is in it.
        """
        super().__init__(request.batch_size)
        self.request = request
        self.of_line: Callable[[str], Signal] = corpus_of(request.run).signals()

    @abstractmethod
    def answers(self, inputs: Tensor, lengths: Tensor, signals: Sequence[Signal]) -> list[Answer]:
        """What the model says of ``signals``, whose features are ``inputs`` (B, T, F), ``lengths`` (B,) steps each."""

    def respond(self, lines: Sequence[tuple[int, str]]) -> Iterator[str]:
        signals = [self.signal(number, line.rstrip("\r\n")) for number, line in lines]
        told = iter(self.said([signal for signal in signals if signal is not None]))
        for (number, _), signal in zip(lines, signals, strict=True):
            yield "" if signal is None else shown(number, next(told), self.request.format)

    def signal(self, number: int, line: str) -> Signal | None:
        """What line ``number`` stands for; none, with an error on standard error, where that cannot be had."""
        if not line.strip():
            return None
        try:
            return self.of_line(line)
        except ValueError as error:
            name = line if len(line) <= 80 else f"{line[:77]}..."
            print(f"error: line {number}, {name}: {error}", file=sys.stderr)
            self.refused += 1
            return None

    @torch.no_grad()
    def said(self, signals: Sequence[Signal]) -> list[Answer]:
        if not signals:
            return []
        inputs, _ = side_by_side([signal.features for signal in signals], 0)
        return self.answers(inputs, torch.tensor([len(signal.features) for signal in signals]), signals)


class LabelReader(SignalReader):
    """A stored recogniser: the text, its log-probability, and when each label of it is said, how surely."""

    def __init__(self, request: RecognitionRequest) -> None:
        """Load the run."""
        super().__init__(request)
        self.beam_size = request.beam_size
        self.system = CTCRecognizer.load_from_checkpoint(checkpoint_of(request), map_location="cpu", weights_only=True).eval()

    def answers(self, inputs: Tensor, lengths: Tensor, signals: Sequence[Signal]) -> list[Answer]:
        system = self.system
        best = system.recognize(inputs, lengths, beam_size=self.beam_size)
        found, counts = best.labels[:, 0], best.lengths[:, 0]
        aligned = system.align(inputs, lengths, found, counts)
        stride = 1 if system.subsampling is None else system.subsampling.stride
        answers = []
        for row, labels in enumerate(system.sequences(found, counts)):
            starts, ends, sure = (of[row].tolist() for of in (aligned.starts, aligned.ends, aligned.confidence))
            parts = [
                part(signals[row], system.labels[label], stride * start, stride * end, confidence)
                for label, start, end, confidence in zip(labels, starts, ends, sure, strict=False)
            ]
            answers.append({"text": system.text(labels), "score": best.scores[row, 0].item(), "labels": parts})
        return answers


class FrameReader(SignalReader):
    """A stored framewise classifier: the classes in their order, each once for all frames in a row that are of it."""

    def __init__(self, request: SignalRequest) -> None:
        """Load the run."""
        super().__init__(request)
        self.system = FrameClassifier.load_from_checkpoint(checkpoint_of(request), map_location="cpu", weights_only=True).eval()

    def answers(self, inputs: Tensor, lengths: Tensor, signals: Sequence[Signal]) -> list[Answer]:
        sure, classes = self.system(inputs, lengths)[0].softmax(2).max(2)
        answers = []
        for row, signal in enumerate(signals):
            parts = []
            for number, frames in groupby(range(len(signal.features)), lambda frame, row=row: int(classes[row, frame])):
                first, *others = frames
                end = first + 1 + len(others)
                parts.append(part(signal, self.system.classes[number], first, end, sure[row, first:end].mean().item()))
            answers.append({"text": " ".join(each["label"] for each in parts), "labels": parts})
        return answers


class ClassReader(SignalReader):
    """A stored classifier of whole signals: the class, and its probability."""

    def __init__(self, request: SignalRequest) -> None:
        """Load the run."""
        super().__init__(request)
        file = checkpoint_of(request)
        self.system = SequenceClassifier.load_from_checkpoint(file, map_location="cpu", weights_only=True).eval()
        self.classes: list[str] = self.system.hparams["classes"]

    def answers(self, inputs: Tensor, lengths: Tensor, signals: Sequence[Signal]) -> list[Answer]:
        sure, classes = self.system(inputs, lengths)[0].softmax(1).max(1)
        both = zip(classes.tolist(), sure.tolist(), strict=True)
        return [{"text": self.classes[number], "confidence": confidence} for number, confidence in both]


def part(signal: Signal, label: str, start: int, end: int, confidence: float) -> Answer:
    """A label with its begin and its end, before step ``end``: in seconds where the signal has them, else in its steps."""
    last = len(signal.features)
    begin, end = min(start, last), min(end, last)
    if signal.seconds is None:
        return {"label": label, "first_step": begin, "steps": end - begin, "confidence": confidence}
    begun, over = signal.seconds[[begin, end]].tolist()
    return {"label": label, "start": round(begun, 4), "end": round(over, 4), "confidence": confidence}


def corpus_of(run: Path) -> Any:
    """The corpus that a run was trained on, as the run's settings describe it."""
    return ClassSpec(**read_json(run / "training.json")["config"]["task"]["corpus"]).build()


def checkpoint_of(request: SignalRequest) -> Path:
    return request.run / "model.ckpt"


def shown(number: int, answer: Answer, form: str) -> str:
    """The output for line ``number`` of input."""
    return answer["text"] if form == "text" else json.dumps({"line": number, **answer}, ensure_ascii=False)
