"""The weights of a model as `safetensors`, with the settings that it is built by."""

import inspect
from pathlib import Path

import torch

from ..files import write_json
from ..models import Model
from ..models.checkpoints import read_checkpoint
from ..models.weights import CONFIG, WEIGHTS, read_weights
from .graphs import batches
from .parity import ParityError, difference


def write_weights(kind: type[Model], model: Model, checkpoint: Path, folder: Path) -> None:
    """Write the weights of ``model``, which comes from ``checkpoint``, to files of ``folder``, and compare what is read from
    there with it.

    Raises:
        ParityError: where it answers otherwise.
    """
    from safetensors.torch import save_file

    given = read_checkpoint(checkpoint)["hyper_parameters"]
    arguments = {name: given[name] for name in inspect.signature(kind).parameters if name in given}
    write_json(folder / CONFIG, {"model": kind.__name__, "arguments": arguments})
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, str(folder / WEIGHTS))
    read = read_weights(kind, folder).eval()
    with torch.no_grad():
        for inputs, lengths in batches(model):
            if difference((read(inputs, lengths)[0],), (model(inputs, lengths)[0],)):
                raise ParityError(f"{WEIGHTS} and {CONFIG} make a network that answers otherwise than the run's own")
