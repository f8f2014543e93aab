"""Exported networks that answer raw items as predictors do: classes, tags, numbers, labels of frames.

Shapes: B items of a batch, T steps of the longest.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..checks import check_flags
from ..items.base import Answer
from ..items.folders import file_in, read_description, settings_of
from ..items.inputs import Encoded, Inputs, make_inputs
from ..items.series import ForecastAnswers, SeriesInputs, make_series_inputs
from ..items.signals import frames_answer
from ..items.values import ValueAnswers
from ..items.words import WordAnswers, WordInputs
from .base import Deployed
from .session import Array, Exported, softmax
from .viterbi import best_path, marginals

if TYPE_CHECKING:
    from ..corpora.lexicon import Lexicon


class DeployedClassifier(Deployed):
    """The likeliest class and its probability: ``{"text": "seven", "confidence": 0.98}``."""

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16, threads: int = 1) -> "DeployedClassifier":
        exported = Exported(folder, threads)
        return cls(exported, inputs_of(exported), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        probabilities = softmax(self.exported.outputs(*self.pad(batch)))
        classes = self.exported.settings["classes"]
        return [{"text": classes[row.argmax()], "confidence": row.max().item()} for row in probabilities]


class DeployedRegressor(Deployed):
    """The value, as a number and in six digits: ``{"text": "0.934217", "value": 0.9342169761657715}``."""

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16, threads: int = 1) -> "DeployedRegressor":
        exported = Exported(folder, threads)
        return cls(exported, inputs_of(exported), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        values = self.exported.outputs(*self.pad(batch))[:, 0].tolist()
        return [{"text": f"{value:.6g}", "value": value} for value in values]


class DeployedValues(ValueAnswers, Deployed):
    """The value of each target, see `ValueAnswers`."""

    def __init__(self, exported: Exported, inputs: Inputs, *, batch_size: int = 16) -> None:
        """Answer by ``exported``."""
        super().__init__(exported, inputs, batch_size=batch_size)
        self.targets, self.quantiles, self.every_step = (
            exported.settings[name] for name in ("targets", "quantiles", "every_step")
        )

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16, threads: int = 1) -> "DeployedValues":
        exported = Exported(folder, threads)
        return cls(exported, inputs_of(exported), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        return self.answers_of(self.exported.outputs(*self.pad(batch)), batch)


class DeployedFrames(Deployed):
    """The classes of a signal and their times, see `frames_answer`."""

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16, threads: int = 1) -> "DeployedFrames":
        exported = Exported(folder, threads)
        return cls(exported, inputs_of(exported), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        probabilities = softmax(self.exported.outputs(*self.pad(batch)))
        rows = zip(batch, probabilities.argmax(2).tolist(), probabilities.max(2), strict=True)
        return [frames_answer(*row, self.exported.settings["classes"]) for row in rows]


class DeployedForecaster(ForecastAnswers, Deployed):
    """The next values of each target, see `ForecastAnswers`."""

    def __init__(self, exported: Exported, inputs: SeriesInputs, *, batch_size: int = 16) -> None:
        """Answer by ``exported``."""
        super().__init__(exported, inputs, batch_size=batch_size)
        self.targets, self.quantiles = exported.settings["targets"], exported.settings["quantiles"]

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16, threads: int = 1) -> "DeployedForecaster":
        exported = Exported(folder, threads)
        return cls(exported, make_series_inputs(folder, exported.settings["size"]), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        forecasts = self.exported.outputs(*self.pad(batch))
        return [self.answer_of(forecast, item.source) for forecast, item in zip(forecasts, batch, strict=True)]


class DeployedTagger(WordAnswers, Deployed):
    """The tags of each word of a line, and the spans that they mark, see `WordAnswers`."""

    def __init__(
        self,
        exported: Exported,
        lexicon: "Lexicon",
        *,
        batch_size: int = 32,
        tokens: Literal["simple", "blanks"] = "simple",
        confidence: bool = False,
    ) -> None:
        """Answer by ``exported``, whose words are those of the ``lexicon``; for ``tokens`` see `WordInputs`, for ``confidence``
        `WordAnswers`."""
        super().__init__(exported, WordInputs(lexicon, tokens), batch_size=batch_size)
        check_flags(confidence=confidence)
        self.confidence = confidence
        scores, self.tags, self.scheme = exported.settings["transitions"], lexicon.tags, exported.settings["scheme"]
        of_numbers = [[-np.inf if score is None else score for score in row] for row in scores or []]
        self.transitions = np.array(of_numbers, np.float32)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 32,
        tokens: Literal["simple", "blanks"] = "simple",
        confidence: bool = False,
        threads: int = 1,
    ) -> "DeployedTagger":
        from ..corpora.lexicon import Lexicon

        lexicon = Lexicon.read(file_in(folder, read_description(folder).get("lexicon")))
        return cls(Exported(folder, threads), lexicon, batch_size=batch_size, tokens=tokens, confidence=confidence)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        answers = []
        for item, emissions in zip(batch, self.exported.outputs(*self.pad(batch)), strict=True):
            real = emissions[: len(item.steps)]
            tags = best_path(real, self.transitions) if len(self.transitions) else real.argmax(1).tolist()
            answers.append(self.of_words(item.source, tags, self.confidences(real, tags) if self.confidence else ()))
        return answers

    def confidences(self, emissions: Array, tags: Sequence[int]) -> list[float]:
        """The marginal probability of each of the ``tags`` (T,), by the ``emissions`` (T, L)."""
        likely = marginals(emissions, self.transitions) if len(self.transitions) else softmax(emissions)
        return likely[np.arange(len(tags)), tags].tolist()


def inputs_of(exported: Exported) -> Inputs:
    """What encodes items for an ``exported`` network."""
    return make_inputs(settings_of(exported.folder, "inputs"), exported.folder, exported.settings["size"])
