"""What every trained system is without its training: a network that reads checked batches, and the way from a checkpoint.

Shapes: B rows, T steps.
"""

import os
from abc import abstractmethod
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from ..hub import pretrained_folder
from ..optimization import check_training
from ..sequences import State, check_lengths, check_tensors, fill_padding
from .checkpoints import opened, weightless
from .inputs import check_features, check_tokens
from .weights import arguments_of, read_weights

AnyModel = TypeVar("AnyModel", bound="Model")


class Model(nn.Module):
    """A network that answers, and needs neither Lightning nor metrics for it.

    A subclass has ``__init__``, which ends with `complete`, and ``run``; it reads tokens if it sets ``vocab_size``, features
    if it sets ``input_size``. A system is a subclass of it and of `System`, which trains.
    """

    vocab_size: Any = None
    input_size: Any = None

    def __init__(
        self, optimizer: dict[str, Any] | None = None, schedule: dict[str, Any] | None = None, **networks: Any
    ) -> None:
        """Begin a model; all arguments are for the training of a system, and are checked.

        Raises:
            ValueError: for an ``optimizer`` or a ``schedule`` that there is not, see `check_training`.
        """
        super().__init__()
        check_training(optimizer, schedule)

    def complete(self) -> None:
        """What a system adds once its networks are there: nothing to a model."""

    @abstractmethod
    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """What ``forward`` answers, of inputs that are checked; tokens are 0 behind each row's length."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        """Refuse inputs that are not what the model reads, naming row and step."""
        if self.vocab_size is not None:
            check_tokens("token", inputs, self.vocab_size, lengths=lengths)
        elif self.input_size is not None:
            check_features(inputs, lengths, self.input_size)

    def admit(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """The ``inputs``, checked if they lie on the CPU; tokens with 0 behind each row's length, whatever stands there.

        Under `torch.export` nothing is checked: there is nothing yet to look at.
        """
        if torch.compiler.is_exporting():
            return inputs if inputs.is_floating_point() else fill_padding(inputs, lengths)
        check_tensors(inputs=inputs)
        if inputs.dtype == torch.float64 and (own := next(self.parameters()).dtype) == torch.float32:
            raise ValueError(f"inputs are float64, as NumPy makes them, and the weights {own}: give inputs.float()")
        if inputs.device.type == "cpu":
            self.check_inputs(inputs, lengths)
        elif lengths is not None:
            check_lengths(lengths, inputs)
        return inputs if inputs.is_floating_point() else fill_padding(inputs, lengths)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        """What ``run`` makes of ``inputs`` (B, T) or (B, T, ...), and the state after each row's last real step.

        Args:
            lengths: (B,) the real steps of each row; ``None``: all T of them.
            state: read on from here; ``None``: from the start.

        Raises:
            ValueError: for inputs, lengths or a state that the model cannot read.
        """
        return self.run(self.admit(inputs, lengths), lengths, state)

    @classmethod
    def from_pretrained(cls, place: str | os.PathLike[str], *, revision: str | None = None) -> Self:
        """The model of a folder with ``config.json`` and ``model.safetensors``, on the CPU, in evaluation mode.

        Args:
            place: a folder, or ``OWNER/NAME`` of a model on the Hugging Face Hub, of which no code and no pickle is read.
            revision: a branch, a tag or a commit there.

        Raises:
            FileNotFoundError: where there is no such folder, or a file is missing.
            ValueError: where the Hub has no such model, a file is damaged, or it is of another class.
        """
        return read_weights(cls, pretrained_folder(place, revision)).eval()


def load_model(kind: type[AnyModel], path: Any) -> AnyModel:
    """The model of class ``kind`` in a checkpoint, a local file, on the CPU; what ``load_from_checkpoint`` is for a system.

    Raises:
        ValueError: where the file is damaged, comes from elsewhere, is of another class, or does not hold the weights that
            its hyper-parameters say.
        FileNotFoundError: where there is no file.
    """
    with opened(path) as file:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    known = arguments_of(kind, dict(checkpoint)["hyper_parameters"])
    with weightless(path):  # a trial, before a network takes memory
        try:
            trial = kind(**known)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is no checkpoint of {kind.__name__}: {error}") from None
        trial.load_state_dict(checkpoint["state_dict"])
    model = kind(**known)
    model.load_state_dict(checkpoint["state_dict"])
    return model
