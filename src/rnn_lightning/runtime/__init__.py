"""Exported networks that answer raw items by NumPy and onnxruntime, without PyTorch: ``python -m rnn_lightning.runtime``."""

from pathlib import Path
from typing import Any

from .base import Deployed
from .kinds import (
    DeployedClassifier,
    DeployedForecaster,
    DeployedFrames,
    DeployedRegressor,
    DeployedTagger,
    DeployedValues,
)
from .language import DeployedLanguageModel
from .recognition import DeployedRecognizer
from .session import read_export
from .translation import DeployedTranscriber, DeployedTranslator

__all__ = ["DEPLOYED", "Deployed", "deployed_class", "load"]

DEPLOYED: dict[str, type[Deployed]] = {
    "classification": DeployedClassifier,
    "forecasts": DeployedForecaster,
    "frames": DeployedFrames,
    "language": DeployedLanguageModel,
    "recognition": DeployedRecognizer,
    "regression": DeployedRegressor,
    "tagging": DeployedTagger,
    "transcription": DeployedTranscriber,
    "translation": DeployedTranslator,
    "values": DeployedValues,
}
"""The kinds by the names of their predictors."""


def deployed_class(folder: str | Path) -> type[Deployed]:
    """The class of what answers by the exported network in ``folder``.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: for a kind that there is not.
    """
    name = read_export(folder).get("predictor")
    if name not in DEPLOYED:
        raise ValueError(f"predictor of {folder} must be one of {sorted(DEPLOYED)}, not {name!r}")
    return DEPLOYED[name]


def load(folder: str | Path, **options: Any) -> Deployed:
    """What answers raw items by the exported network in ``folder``: ``load("exports/dates-lstm-1")(["May 3rd, 1988"])``.

    ``options`` are keywords of its class' ``load``.

    Raises:
        FileNotFoundError: where there is none, or a file is missing.
        ValueError: for a value that does not fit.
        TypeError: for an option that its class does not have.
    """
    return deployed_class(folder).load(folder, **options)
