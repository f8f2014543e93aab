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
from pipelines.training.rows import ROWS, Fitting, fit, matches, other_answers
from rnn_lightning import System
from rnn_lightning.checks import shown
from rnn_lightning.files import check_sums, read_json
from rnn_lightning.items.folders import DESCRIPTION, read_description
from rnn_lightning.items.vocabularies import vocabularies
from rnn_lightning.models.checkpoints import read_checkpoint
from rnn_lightning.models.weights import CONFIG, read_tensors

MOST_SHOWN = 6
NETWORKS = {"network.": "rnn", "encoder.": "encoder", "decoder.network.": "decoder", "prediction.": "prediction"}
"""By the name of a network, the argument that says its cell, where ``rnn`` says no other."""


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
    """Load what fits by name and shape, whatever wraps the layers; of weights that have a row for each entry of a vocabulary,
    the rows of the entries that both vocabularies have."""
    place = experiment.init_from
    assert place is not None
    source, kind = read_source(weights_file(place)), kind_of(experiment)
    here = vocabularies(experiment.processed(), kind.description(experiment, card), system.hparams)
    there = vocabularies(source.folder, description_in(source.folder), source.settings)
    found = matches(here, there)
    own, cells = weights_of(system.state_dict()), other_cells(system.hparams, source.settings)
    fitting = fit(own, weights_of(source.weights), cells, ROWS.get(kind.predictor, {}), found)
    if (other := other_answers(found, here, there)) or fitting.left:
        check_partial(experiment, fitting, [f"{name} are {shown([*there.get(name, ())])} there" for name in other])
    with torch.no_grad():
        for name, weight in fitting.taken.items():
            own[name].copy_(weight)
    rows = {name: match.counts() for name, match in found.items() if match.here}
    print(f"init_from={place}: {said_of(fitting, rows)}", file=sys.stderr)
    return {"loaded": len(fitting.taken), "left": fitting.left, **({"rows": rows} if rows else {})}


def check_partial(experiment: Experiment, fitting: Fitting, other: Sequence[str]) -> None:
    """Refuse weights that do not fit, or ``other`` answers, unless `init_from_partial` is set and some weight fits.

    Raises:
        ValueError: naming the first.
    """
    if experiment.init_from_partial and fitting.taken:
        return
    some = [f"{name} {reason}" for name, reason in [*fitting.left.items()][:MOST_SHOWN]]
    some += [f"and {len(fitting.left) - MOST_SHOWN} more"] if len(fitting.left) > MOST_SHOWN else []
    count = f"{len(fitting.left)} weights do not fit: " if some else ""
    advice = "init_from_partial=true takes the others" if fitting.taken else "give a run of the same kind of task"
    raise ValueError(f"init_from={experiment.init_from}: {count}{'; '.join([*some, *other])}; {advice}")


def said_of(fitting: Fitting, rows: Mapping[str, Mapping[str, int]]) -> str:
    """What is taken, and what begins anew, in a line."""
    parts = [f"{len(fitting.taken)} weights are taken"]
    parts += [f"of {name} the rows of {each['taken']}, {each['anew']} begin anew" for name, each in rows.items()]
    parts += [f"{name} {reason}, and is not" for name, reason in fitting.left.items()]
    return "; ".join(parts)


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


def description_in(folder: Path) -> dict[str, Any]:
    """What reads the files of ``folder``; nothing where it has weights alone."""
    return read_description(folder) if (folder / DESCRIPTION).exists() else {}


def weights_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a ``state`` that are weights: truth values are constraints, which follow from the settings."""
    return {name: tensor for name, tensor in state.items() if tensor.dtype != torch.bool}


def other_cells(here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, str]:
    """By the name of a network of another cell: which cells it has."""
    pairs = {network: (_cell(here, name), _cell(there, name)) for network, name in NETWORKS.items()}
    return {network: f"is of a {other} there, of a {own} here" for network, (own, other) in pairs.items() if own != other}


def _cell(arguments: Mapping[str, Any], name: str) -> Any:
    """The cell that the ``arguments`` of a system give the network of the argument ``name``."""
    given = (arguments.get(each) for each in ("rnn", name))
    return {key: value for each in given if isinstance(each, Mapping) for key, value in each.items()}.get("cell")


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
