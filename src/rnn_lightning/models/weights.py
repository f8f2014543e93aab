"""Models in folders of ``config.json`` and ``model.safetensors``, as the ecosystem shares them."""

from pathlib import Path

from ..files import read_json
from .model import AnyModel

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def read_weights(kind: type[AnyModel], folder: Path) -> AnyModel:
    """The model of class ``kind`` whose weights and settings are in ``folder``.

    Raises:
        ValueError: where they are those of another model, or the package `safetensors` is not there.
    """
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise ValueError(f"{folder / WEIGHTS} is read by safetensors, which is not here: pip install safetensors") from None
    config = read_json(folder / CONFIG)
    if config.get("model") != kind.__name__:
        raise ValueError(f"{folder / CONFIG} is of a {config.get('model')}, not of a {kind.__name__}")
    model = kind(**config["arguments"])
    model.load_state_dict(load_file(str(folder / WEIGHTS)))
    return model
