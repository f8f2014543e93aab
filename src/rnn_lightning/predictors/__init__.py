"""Trained systems that answer raw items: text, words, sounds, pen strokes, pictures, arrays."""

from pathlib import Path
from typing import Any

from ..hub import local_folder
from ..items.base import Answer
from ..items.folders import CHECKPOINT, DESCRIPTION, read_description
from .base import Predictor, files_of, is_shared
from .classification import ClassificationPredictor
from .forecasts import ForecastPredictor
from .frames import FramePredictor
from .language import LanguagePredictor
from .recognition import RecognitionPredictor
from .regression import RegressionPredictor
from .tagging import TaggingPredictor
from .transduction import TransductionPredictor
from .translation import TranscriptionPredictor, TranslationPredictor
from .values import ValuePredictor

__all__ = [
    "CHECKPOINT",
    "DESCRIPTION",
    "PREDICTORS",
    "Answer",
    "ClassificationPredictor",
    "ForecastPredictor",
    "FramePredictor",
    "LanguagePredictor",
    "Predictor",
    "RecognitionPredictor",
    "RegressionPredictor",
    "TaggingPredictor",
    "TranscriptionPredictor",
    "TransductionPredictor",
    "TranslationPredictor",
    "ValuePredictor",
    "files_of",
    "is_shared",
    "load_predictor",
    "predictor_class",
]

PREDICTORS: dict[str, type[Predictor[Any]]] = {
    "classification": ClassificationPredictor,
    "forecasts": ForecastPredictor,
    "frames": FramePredictor,
    "language": LanguagePredictor,
    "recognition": RecognitionPredictor,
    "regression": RegressionPredictor,
    "tagging": TaggingPredictor,
    "transcription": TranscriptionPredictor,
    "transduction": TransductionPredictor,
    "translation": TranslationPredictor,
    "values": ValuePredictor,
}
"""The predictors by the names that a folder's description may give: no folder names code."""


def predictor_class(folder: str | Path) -> type[Predictor[Any]]:
    """The class of the predictor that ``folder`` describes.

    Raises:
        FileNotFoundError: where it describes none.
        ValueError: for one that there is not.
    """
    name = read_description(folder).get("predictor")
    if not isinstance(name, str) or name not in PREDICTORS:
        raise ValueError(f"predictor of {folder}/{DESCRIPTION} must be one of {sorted(PREDICTORS)}, not {name!r}")
    return PREDICTORS[name]


def load_predictor(folder: str | Path, **options: Any) -> Predictor[Any]:
    """The predictor of an evaluated run's folder: ``load_predictor("runs/dates/lstm/1", n_best=3)(["May 3rd, 1988"])``.

    ``folder`` may also be that of a shared model, or ``hub:OWNER/NAME@REVISION``, one on the Hugging Face Hub. ``options`` are
    keywords of its class' ``load``.

    Raises:
        FileNotFoundError: where the folder describes no predictor, or a file is missing.
        ValueError: for a value that does not fit.
        TypeError: for an option that its class does not have.
    """
    place = local_folder(folder)
    return predictor_class(place).load(place, **options)
