"""Kinds of systems: what each needs of the pipeline besides training and test."""

from typing import Any

from pipelines.kinds.base import Kind
from pipelines.kinds.classification import ClassificationKind
from pipelines.kinds.forecasts import ForecastKind
from pipelines.kinds.frames import FrameKind
from pipelines.kinds.language import LanguageKind
from pipelines.kinds.recognition import RecognitionKind
from pipelines.kinds.tagging import TaggingKind
from pipelines.kinds.transcription import TranscriptionKind
from pipelines.kinds.transduction import TransductionKind
from pipelines.kinds.translation import TranslationKind
from pipelines.kinds.values import ValueKind
from pipelines.settings.schema import Experiment
from rnn_lightning import (
    CTCRecognizer,
    Forecaster,
    FrameClassifier,
    LanguageModel,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    System,
    Tagger,
    Transducer,
)

KINDS: dict[type[System], Kind[Any]] = {
    CTCRecognizer: RecognitionKind(),
    Forecaster: ForecastKind(),
    FrameClassifier: FrameKind(),
    LanguageModel: LanguageKind(),
    Seq2Seq: TranslationKind(),
    SequenceClassifier: ClassificationKind(),
    SequenceRegressor: ValueKind(),
    Tagger: TaggingKind(),
    Transducer: TransductionKind(),
}
TRANSCRIPTION = TranscriptionKind()


def kind_of(experiment: Experiment) -> Kind[Any]:
    """The kind of the system that the task's configuration names; a `Seq2Seq` with a ``unit`` finds labels of signals.

    Raises:
        ValueError: for a class that is no system, or one without a kind.
    """
    system = experiment.task.model.cls()
    if system not in KINDS:
        known = sorted(kind.__name__ for kind in KINDS)
        raise ValueError(f"task.model._target_ must be one of the systems {known}, not {experiment.task.model.target!r}")
    return TRANSCRIPTION if system is Seq2Seq and (experiment.task.model.model_extra or {}).get("unit") else KINDS[system]
