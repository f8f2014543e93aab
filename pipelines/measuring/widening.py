"""Classes that a trained model does not have, as classes behind its own: it never finds them, so that each is an error.

Their score is minus infinity. So the loss of a split that has them is infinite.

Shapes: C classes of the model, H features of the network.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from rnn_lightning.crf import LinearChainCRF
from rnn_lightning.products import Linear


def widen(system: Any, predictor: str, added: Sequence[str]) -> None:
    """Give ``system``, which the ``predictor`` of that name answers by, the ``added`` classes, tags or labels."""
    if added:
        WIDENERS[predictor](system, list(added))


def _classes(system: Any, added: list[str]) -> None:
    system.output, system.classes = wider(system.output, len(added)), [*system.classes, *added]


def _one_class(system: Any, added: list[str]) -> None:
    _classes(system, added)
    system.num_classes = len(system.classes)


def _labels(system: Any, added: list[str]) -> None:
    system.output, system.labels = wider(system.output, len(added)), [*system.labels, *added]


def _tags(system: Any, added: list[str]) -> None:
    system.emissions, system.tags = wider(system.emissions, len(added)), (*system.tags, *added)
    system.num_tags += len(added)
    if system.hparams["output"] == "crf":
        system.output.field = wider_field(system.output.field, len(added))
    system.complete()  # its metrics of spans read tags by their numbers


WIDENERS: dict[str, Callable[[Any, list[str]], None]] = {
    "classification": _one_class,
    "frames": _classes,
    "recognition": _labels,
    "tagging": _tags,
}


@torch.no_grad()
def wider(layer: Linear, more: int) -> Linear:
    """The ``layer`` (C, H) with ``more`` outputs, which are minus infinity."""
    made = Linear(layer.in_features, layer.out_features + more)
    made.weight.zero_()
    made.bias.fill_(-torch.inf)
    made.weight[: layer.out_features], made.bias[: layer.out_features] = layer.weight, layer.bias
    return made


@torch.no_grad()
def wider_field(field: LinearChainCRF, more: int) -> LinearChainCRF:
    """The ``field`` with ``more`` tags, which may follow any and be followed by any."""
    size = field.num_tags
    made = LinearChainCRF(size + more)
    made.start[:size], made.end[:size], made.transitions[:size, :size] = field.start, field.end, field.transitions
    kept = [*range(size), size + more]  # the last is the boundary
    made.forbidden[torch.tensor(kept)[:, None], torch.tensor(kept)] = field.forbidden
    return made
