"""The weights of a model as `safetensors`, with the settings that it is built by."""

from pathlib import Path

import torch

from ..models import Model
from ..models.checkpoints import read_checkpoint
from ..models.weights import CONFIG, WEIGHTS, arguments_of, read_weights, write_weights
from .graphs import batches
from .parity import ParityError, difference


def write_checked(kind: type[Model], model: Model, checkpoint: Path, folder: Path) -> None:
    """Write the weights of ``model``, which comes from ``checkpoint``, to files of ``folder``, and compare what is read from
    there with it.

    Raises:
        ParityError: where it answers otherwise.
    """
    write_weights(model, arguments_of(kind, read_checkpoint(checkpoint)["hyper_parameters"]), folder)
    read = read_weights(kind, folder).eval()
    with torch.no_grad():
        for inputs, lengths in batches(model):
            if difference((read(inputs, lengths)[0],), (model(inputs, lengths)[0],)):
                raise ParityError(f"{WEIGHTS} and {CONFIG} make a network that answers otherwise than the run's own")
