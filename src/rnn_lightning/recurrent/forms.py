"""The forms of the weights of one recurrent layer: those of PyTorch's layers, those of a cell, and either inside wrappers.

Zoneout and recurrent dropout make an LSTM or GRU a cell, dropout between layers sets layers apart, weight drop, residual and
highway connections wrap them. None of these changes what a weight stands for. Shapes: H hidden units.
"""

import re
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

WEIGHT = re.compile(r"(?P<network>.*?)(?P<path>(?:(?:inner|forwards|backwards|layers\.\d+)\.)*)(?:core|cell)\.(?P<name>\w+)")
FUSED = re.compile(r"(?P<kind>weight_ih|weight_hh|bias_ih|bias_hh)_l(?P<number>\d+)(?P<backwards>_reverse)?")
SECOND, CANDIDATE = "second_bias", "candidate_bias"
NAMES = {"weight_ih": "input_weight", "weight_hh": "recurrent_weight", "bias_ih": "bias", "bias_hh": SECOND}
"""What a cell calls the weights of PyTorch's layers; of the second bias it has that of a GRU's candidate at most."""


class Layer(NamedTuple):
    """A recurrent layer and direction: the name of its network, its number from below, and whether it reads backwards."""

    network: str
    number: int
    backwards: bool


def place_of(name: str) -> tuple[Layer, str] | None:
    """The layer of the weight ``name`` of a state dict, and a cell's name for the weight; ``None`` where it is of no layer."""
    found = WEIGHT.fullmatch(name)
    if found is None:
        return None
    fused = FUSED.fullmatch(found["name"])
    outermost = re.search(r"layers\.(\d+)", found["path"])  # within it there may be the parts of a block
    above = int(outermost[1]) if outermost else 0
    backwards = "backwards." in found["path"] or bool(fused and fused["backwards"])
    layer = Layer(found["network"], above + (int(fused["number"]) if fused else 0), backwards)
    return layer, NAMES[fused["kind"]] if fused else found["name"]


def first_layers(names: Iterable[str], networks: Container[str]) -> list[str]:
    """Those of the ``names`` of weights that belong to the first layer of one of the ``networks``, in either direction, with
    what stands around the layer."""
    return [name for name in names if name.split(".")[0] in networks and not number_of(name)]


def number_of(name: str) -> int:
    """The number, from below, of the layer that the weight ``name`` of a network belongs to."""
    place, outermost = place_of(name), re.search(r"layers\.(\d+)", name)
    return place[0].number if place else int(outermost[1]) if outermost else 0


def in_form_of(own: Iterable[str], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights ``given``, those of recurrent layers by the names and in the form that these have among ``own`` names. What
    has no place there keeps its name. The layers must be of the same cells; they compute the same in every form."""
    wanted, names = _by_layer(own), _by_layer(given)
    made = {name: weight for name, weight in given.items() if (place := place_of(name)) is None or place[0] not in wanted}
    for layer in wanted.keys() & names.keys():
        parts = _formed({part: given[name] for part, name in names[layer].items()}, wanted[layer])
        made |= {wanted[layer].get(part) or names[layer][part]: weight for part, weight in parts.items()}
    return made


def _by_layer(names: Iterable[str]) -> dict[Layer, dict[str, str]]:
    """By layer and a cell's name for a weight, its own name."""
    layers: dict[Layer, dict[str, str]] = {}
    for name in names:
        if (place := place_of(name)) is not None:
            layers.setdefault(place[0], {})[place[1]] = name
    return layers


def _formed(parts: Mapping[str, Tensor], wanted: Container[str]) -> dict[str, Tensor]:
    """The weights of a layer with a second bias if that is ``wanted``, else with what it is added to."""
    made = dict(parts)
    if "bias" not in made or (SECOND in made) == (SECOND in wanted):
        return made
    if SECOND in wanted:
        candidate = made.pop(CANDIDATE, made["bias"][:0])
        made[SECOND] = F.pad(candidate, (len(made["bias"]) - len(candidate), 0))
        return made
    second = made.pop(SECOND)
    if CANDIDATE in wanted:  # the reset gate stands before it: what is added to the gates alone goes into the bias
        gates, made[CANDIDATE] = second.split([len(second) - len(second) // 3, len(second) // 3])
        second = F.pad(gates, (0, len(made[CANDIDATE])))
    made["bias"] = made["bias"] + second
    return made
