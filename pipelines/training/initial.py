"""Fine-tuning: a training that begins with the weights of a run, and may leave parts of the system as they are."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipelines.kinds import kind_of
from pipelines.runs.initial import weights_file
from pipelines.settings.keywords import named
from pipelines.settings.schema import Experiment
from rnn_lightning import System
from rnn_lightning.checks import shown
from rnn_lightning.files import check_sums, read_json, sha256
from rnn_lightning.models.checkpoints import read_checkpoint
from rnn_lightning.models.weights import CONFIG, read_tensors

SIZES = ("vocab_size", "target_vocab_size", "num_characters", "num_tags", "num_classes")
NAMES = ("classes", "tags", "labels", "targets")
"""Hyper-parameters that count tokens and names, and those that name what is answered."""
OTHER = "belongs to other tokens or names"
MOST_SHOWN = 6


class Source(NamedTuple):
    """The weights of a trained model by name, its hyper-parameters, and the folder that they come from."""

    weights: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    folder: Path


def begin_from(experiment: Experiment, card: dict[str, Any], system: System) -> dict[str, Any]:
    """Give ``system`` the weights that its training begins with, and hold fast the parts that it leaves as they are.

    Returns:
        for the record, what was ``loaded`` and why other weights were ``left``, and how many parameters are ``frozen``.

    Raises:
        ValueError: where weights do not fit and ``init_from_partial`` is not set, or none fits; for a part that there is not.
    """
    done: dict[str, Any] = {}
    if experiment.init_from is not None:
        done["initial"] = load_from(experiment, card, system)
    if experiment.freeze:
        done["frozen_parameters"] = freeze(system, experiment.freeze)
    return done


def load_from(experiment: Experiment, card: dict[str, Any], system: System) -> dict[str, Any]:
    """Load what fits by name and shape; what is of other tokens or labels does not fit, whatever its shape."""
    place = experiment.init_from
    assert place is not None
    source = read_source(weights_file(place))
    differ = [*other_files(experiment, card, source.folder), *other_names(system, source.settings)]
    own = system.state_dict()
    left = misfits(own, source.weights, sizes_of(system) if differ else set())
    fitting = [name for name in own if name not in left]
    if left and (not experiment.init_from_partial or not fitting):
        some = "; ".join(f"{name} {reason}" for name, reason in [*left.items()][:MOST_SHOWN])
        more = f"; and {len(left) - MOST_SHOWN} more" if len(left) > MOST_SHOWN else ""
        why = f" ({', '.join(differ)})" if differ else ""
        advice = "init_from_partial=true loads the others" if fitting else "give a run of the same kind of task"
        raise ValueError(f"init_from={place}: {len(left)} weights do not fit{why}: {some}{more}; {advice}")
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(source.weights[name])
    for name, reason in left.items():
        print(f"init_from={place}: {name} {reason}, and is not loaded", file=sys.stderr)
    return {"loaded": len(fitting), "left": left}


def read_source(file: Path) -> Source:
    """The trained model whose weights are in ``file``, a checkpoint or safetensors.

    Raises:
        ValueError: where it is damaged.
    """
    if file.suffix == ".ckpt":
        checkpoint = read_checkpoint(file)
        return Source(checkpoint["state_dict"], checkpoint["hyper_parameters"], file.parent)
    check_sums(file.parent, [file.name], again="get the folder again", unlisted=True)
    return Source(read_tensors(file), read_json(file.parent / CONFIG)["arguments"], file.parent)


def other_files(experiment: Experiment, card: dict[str, Any], folder: Path) -> list[str]:
    """The vocabularies of the corpus that ``folder`` has otherwise, or has not."""
    found = []
    for name in kind_of(experiment).description(experiment, card)["files"]:
        if not (folder / name).exists() or sha256(folder / name) != sha256(experiment.processed() / name):
            found.append(f"{name} is another one")
    return found


def other_names(system: System, settings: Mapping[str, Any]) -> list[str]:
    """The names of classes, tags or labels that ``settings`` have otherwise."""
    own = {name: system.hparams.get(name) for name in NAMES}
    return [
        f"{name} are {shown(settings.get(name))} there"
        for name, names in own.items()
        if names is not None and settings.get(name) is not None and [*names] != [*settings[name]]
    ]


def sizes_of(system: System) -> set[int]:
    """How many tokens and names there are: a weight with a dimension of such a size may have a row for each."""
    counts = [system.hparams.get(name) for name in SIZES] + [len(system.hparams.get(name) or ()) for name in NAMES]
    return {count for count in counts if count}


def misfits(own: Mapping[str, Tensor], given: Mapping[str, Tensor], of_names: set[int]) -> dict[str, str]:
    """Why weights do not fit, by name: of one's ``own``, those that are not ``given``, and those that are of other shapes or
    have a dimension that is one of the sizes ``of_names``; and what is given besides."""
    left = {}
    for name, weight in own.items():
        there = given.get(name)
        if there is None:
            left[name] = "is not in it"
        elif there.shape != weight.shape:
            left[name] = f"has shape {tuple(there.shape)} there and {tuple(weight.shape)} here"
        elif of_names & {*weight.shape}:
            left[name] = OTHER
    return left | {name: "has no place here" for name in given if name not in own}


def freeze(system: System, parts: Sequence[str]) -> int:
    """Leave the ``parts`` of ``system``, by the names of modules or weights, out of its training; returns their parameters.

    Raises:
        ValueError: for a part that there is not, or where nothing is left to train.
    """
    weights = dict(system.named_parameters())
    for part in parts:
        found = [name for name in weights if f"{name}.".startswith(f"{part}.")]
        if not found:
            raise ValueError(named("freeze", part, sorted(parts_of(weights))))
        for name in found:
            weights[name].requires_grad_(False)
    if not any(weight.requires_grad for weight in weights.values()):
        raise ValueError(f"freeze={list(parts)} leaves nothing to train: name fewer parts")
    return sum(weight.numel() for weight in weights.values() if not weight.requires_grad)


def parts_of(names: Iterable[str]) -> set[str]:
    """The modules that the weights of these ``names`` belong to, and the weights."""
    return {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}
