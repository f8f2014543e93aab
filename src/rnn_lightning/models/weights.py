"""Models in folders of ``config.json`` and ``model.safetensors``, as the ecosystem shares them."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from ..checks import shown
from ..files import SUMS, add_sum, check_sums, read_json, write_json, write_sums, written_beside
from ..registry import call
from .checkpoints import weightless

WEIGHTS, CONFIG = "model.safetensors", "config.json"
KEYS = {"model": str, "arguments": dict}
"""What ``config.json`` holds: the name of the model's class, and what it is built by."""
AGAIN = "export the run again, or download the folder again"
AnyModule = TypeVar("AnyModule", bound=nn.Module)


def write_weights(model: nn.Module, arguments: Mapping[str, Any], folder: Path) -> None:
    """Write the weights of ``model`` and the ``arguments`` of its class to ``folder``, and their hashes to its `SUMS`.

    Raises:
        ValueError: for an argument that JSON does not hold, or where `safetensors` is not there.
    """
    name = type(model).__name__
    for key, value in arguments.items():
        if not is_plain(value):
            raise ValueError(f"{key} of this {name} is {shown(value)}, and {CONFIG} holds plain values: build it by keywords")
    try:
        from safetensors.torch import save
    except ImportError:
        raise ValueError(f"{WEIGHTS} is written by safetensors, which is not here: pip install 'rnn-lightning[hub]'") from None
    weights = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in model.state_dict().items()}
    with written_beside(folder / WEIGHTS) as partial:
        partial.write_bytes(save(weights, metadata={"format": "pt"}))  # `save_file` lets its owner alone read it
    write_json(folder / CONFIG, {"model": name, "arguments": dict(arguments)})
    if not (folder / SUMS).exists():
        write_sums(folder, [CONFIG, WEIGHTS])
    else:
        for file in (CONFIG, WEIGHTS):
            add_sum(folder, file)


def is_plain(value: Any) -> bool:
    """Whether JSON gives ``value`` back: numbers, texts, truth values, and lists and objects of them; tuples become lists."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_plain(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def read_weights(kind: type[AnyModule], folder: Path) -> AnyModule:
    """The model of class ``kind`` whose weights and settings are in ``folder``, on the CPU.

    Files are compared with their hashes where `SUMS` lists them, and weights with settings before a network takes memory.

    Raises:
        FileNotFoundError: where one of the two files is missing.
        ValueError: where they are damaged or those of another model, settings do not fit, or `safetensors` is not there.
    """
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"{folder} has no {file}: give the folder of a model that was saved or exported as safetensors"
            )
    if (folder / SUMS).exists():
        check_sums(folder, [CONFIG, WEIGHTS], again=AGAIN, unlisted=True)
    arguments, weights = read_config(kind, folder / CONFIG), read_tensors(folder / WEIGHTS)
    what = f"{folder / CONFIG}, {kind.__name__}"
    try:
        with weightless(folder / WEIGHTS):  # a trial, before a network takes memory
            call(what, kind, arguments).load_state_dict(weights)
        model = call(what, kind, arguments)
    except (LookupError, AttributeError) as error:
        raise ValueError(f"{what}: arguments do not fit: {error!r}") from None
    check_kinds_of_numbers(weights, model, folder / WEIGHTS)
    model.load_state_dict(weights)
    return model


def check_kinds_of_numbers(weights: Mapping[str, Any], model: nn.Module, file: Path) -> None:
    """Refuse ``weights`` of other kinds of numbers than those of ``model``, which would be rounded, and what is not finite.

    Raises:
        ValueError: for the first such tensor.
    """
    for name, own in model.state_dict().items():
        found = weights[name]
        if found.is_floating_point() != own.is_floating_point() or (not found.is_floating_point() and found.dtype != own.dtype):
            raise ValueError(f"{name} of {file} is of {found.dtype}, and the model's of {own.dtype}: {AGAIN}")
        if found.is_floating_point() and not found.isfinite().all():
            raise ValueError(f"{name} of {file} has numbers that are not finite: {AGAIN}")


def read_config(kind: type[nn.Module], file: Path) -> dict[str, Any]:
    """The arguments of ``kind`` in a ``config.json``.

    Raises:
        ValueError: for other keys, values of other types, another class.
    """
    config = read_json(file)
    if set(config) != set(KEYS):
        wrong = sorted(set(config) ^ set(KEYS))
        raise ValueError(
            f"{file} must have {' and '.join(KEYS)}, and nothing else: {', '.join(map(shown, wrong))} is wrong or missing"
        )
    for key, of in KEYS.items():
        if not isinstance(config[key], of):
            raise ValueError(f"{key} of {file} must be {'text' if of is str else 'an object'}, not {shown(config[key])}")
    if config["model"] != kind.__name__:
        raise ValueError(f"{file} is of a {config['model']}, not of a {kind.__name__}")
    return config["arguments"]


def read_tensors(file: Path) -> dict[str, Any]:
    """The tensors of a file of `safetensors`, which holds no code.

    Raises:
        ValueError: for another file, or where the package is not there.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise ValueError(f"{file} is read by safetensors, which is not here: pip install 'rnn-lightning[hub]'") from None
    try:
        return load_file(str(file))
    except SafetensorError as error:
        raise ValueError(f"{file} is damaged or no file of safetensors: {error}; {AGAIN}") from None


def arguments_of(kind: type[nn.Module], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the hyper-parameters ``given`` that ``kind`` is built by."""
    return {name: given[name] for name in inspect.signature(kind).parameters if name in given}
