"""Prediction on raw items: what all predictors share, from a folder of files to answers in the order of the items.

Shapes: B items of a batch, T steps of the longest.
"""

import pickle
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor

from ..files import SUMS, check_sums
from ..items.base import Answer, Answerer
from ..items.folders import CHECKPOINT, DESCRIPTION, EXPORT, again_for, no_run, read_description
from ..items.inputs import Encoded, Inputs, padded_steps
from ..models import (
    CTCRecognizer,
    Forecaster,
    FrameClassifier,
    LanguageModel,
    Model,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    Tagger,
    Transducer,
    load_model,
)
from ..models.weights import CONFIG, WEIGHTS, read_weights
from ..recurrent import choose_backend

AnySystem = TypeVar("AnySystem", bound=Model)
SYSTEMS: dict[str, type[Model]] = {
    "classification": SequenceClassifier,
    "forecasts": Forecaster,
    "frames": FrameClassifier,
    "language": LanguageModel,
    "recognition": CTCRecognizer,
    "regression": SequenceClassifier,
    "tagging": Tagger,
    "transcription": Seq2Seq,
    "transduction": Transducer,
    "translation": Seq2Seq,
    "values": SequenceRegressor,
}
"""The class of the model of each kind of run, by the name of its predictor."""


class Predictor(Answerer, Generic[AnySystem]):
    """A trained ``system``, or its `Model` alone, and ``inputs``, which encode raw items for it; makes answers of its outputs.

    ``predictor(items)`` answers what its inputs encode, see `Answerer`.
    """

    def __init__(self, system: AnySystem, inputs: Inputs, *, batch_size: int) -> None:
        """Answer by ``system``, which is set to evaluation mode.

        Raises:
            ValueError: for a batch size below 1.
        """
        super().__init__(inputs, batch_size=batch_size)
        system.eval()
        self.system = system

    @classmethod
    @abstractmethod
    def load(cls, folder: str | Path) -> "Predictor[AnySystem]":
        """The predictor of a run's folder, or of any with a checkpoint, a description and the files that this names.

        A subclass takes its options as further keywords.

        Raises:
            FileNotFoundError: where a file is missing.
            ValueError: for an option that does not fit.
        """

    @torch.no_grad()
    def answer_each(self, encoded: Sequence[Encoded]) -> list[Answer]:
        return super().answer_each(encoded)

    def pad(self, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor | None]:
        """The steps of a batch side by side (B, T, ...), on the system's device, filled up with zeros, and their lengths (B,),
        ``None`` where all are the longest."""
        padded, lengths = padded_steps(batch)
        inputs = torch.from_numpy(padded).to(self.system.device)
        return inputs, None if min(lengths) == inputs.shape[1] else torch.tensor(lengths)


def load_system(system: type[AnySystem], folder: str | Path) -> AnySystem:
    """The model of the weights in ``folder``, of safetensors or in a checkpoint, compared with their SHA-256.

    No kernels compute its layers, whatever trained them: answers are asked for on any machine.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where the file is damaged, or the run is of another kind.
    """
    name = read_description(folder).get("predictor")
    if not issubclass(system, SYSTEMS.get(str(name), system)):
        kinds = " or ".join(kind for kind, of in SYSTEMS.items() if issubclass(system, of))
        raise ValueError(f"{folder} is a run of kind {name}, and one of kind {kinds} is needed here: name such a run")
    found = read_weights(system, Path(folder)) if is_shared(folder) else _of_checkpoint(system, Path(folder))
    choose_backend(found, "auto")
    return found


def _of_checkpoint(system: type[AnySystem], folder: Path) -> AnySystem:
    file = folder / CHECKPOINT
    if not file.exists() and (folder / EXPORT).exists():
        raise FileNotFoundError(no_run(folder))
    check_sums(folder, [CHECKPOINT], again=again_for(folder))
    try:
        return load_model(system, file)
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, pickle.UnpicklingError):  # PyTorch's own words advise to run what is in it
            reason = "it is damaged, or holds objects that are not loaded; get the file again"
        raise ValueError(f"{file} is no checkpoint of {system.__name__}: {reason}") from None


def is_shared(folder: str | Path) -> bool:
    """Whether ``folder`` is laid out as models are shared: weights of safetensors, and no pickle is looked at."""
    return (Path(folder) / CONFIG).exists() or (Path(folder) / WEIGHTS).exists()


def files_of(folder: str | Path) -> list[str]:
    """The names of the files that a predictor in ``folder`` reads.

    Raises:
        FileNotFoundError, ValueError: as `read_description`.
    """
    weights = [CONFIG, WEIGHTS] if is_shared(folder) else [CHECKPOINT]
    return [*weights, DESCRIPTION, SUMS, *read_description(folder).get("files", [])]
