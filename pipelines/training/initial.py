"""Fine-tuning: a training that begins with the weights of a run, and may leave parts of the system as they are."""

import sys
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipelines.kinds import kind_of
from pipelines.runs.initial import weights_file
from pipelines.settings.keywords import named
from pipelines.settings.schema import Experiment
from pipelines.training.rows import ROWS, Fitting, clusters_of, differing, fit, matches, other_answers, readers, vocabularies_of
from rnn_lightning import System
from rnn_lightning.checks import shown
from rnn_lightning.files import check_sums, read_json
from rnn_lightning.items.folders import DESCRIPTION, TRAINING, no_run, read_description
from rnn_lightning.items.vocabularies import features, vocabularies
from rnn_lightning.models.checkpoints import read_checkpoint
from rnn_lightning.models.weights import CONFIG, read_tensors
from rnn_lightning.recurrent.forms import place_of

MOST_SHOWN = 6
NETWORKS = {"network.": "rnn", "encoder.": "encoder", "decoder.network.": "decoder", "prediction.": "prediction"}
"""By the name of a network, the argument that says its cell, where ``rnn`` says no other."""


class Source(NamedTuple):
    """The weights of a trained model by name, its hyper-parameters, and the folder that they come from."""

    weights: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    folder: Path


def begin_from(experiment: Experiment, card: dict[str, Any], system: System) -> dict[str, Any]:
    """Hold fast the parts of ``system`` that its training leaves as they are, and give it the weights that it begins with.

    Returns:
        for the record, what was ``loaded`` and why other weights were ``left``, and how many parameters are ``frozen``.

    Raises:
        ValueError: where weights do not fit and ``init_from_partial`` is not set, or none fits; for a part that there is not.
    """
    done: dict[str, Any] = {}
    if experiment.freeze:
        done["frozen_parameters"] = freeze(system, experiment.freeze)
    if experiment.init_from is not None:
        done["initial"] = load_from(experiment, card, system)
    return done


def load_from(experiment: Experiment, card: dict[str, Any], system: System) -> dict[str, Any]:
    """Load what fits by name and shape, whatever wraps the layers; of weights that have a row for each entry of a vocabulary,
    the rows of the entries that both vocabularies have; of what reads features, nothing where these are others."""
    place = experiment.init_from
    assert place is not None
    source = read_source(weights_file(place))
    description, described = kind_of(experiment).description(experiment, card), description_in(source.folder)
    here = known_to(experiment.processed(), description, system.hparams)
    there = known_to(source.folder, described, source.settings)
    own, rows = weights_of(system.state_dict()), ROWS.get(description["predictor"], {})
    found = matches(vocabularies_of(own, rows), here, there)
    read = differing(features(description, system.hparams), features(described, source.settings))
    other = {name: "reads other features" for name in readers([*own])} if any(read) else {}
    other |= of_other_networks([*own], system.hparams, source.settings)
    fitting = fit(own, weights_of(source.weights), other, rows, found)
    counts = {name: match.counts() for name, match in found.items() if match.here}
    apart = {"features": read} if any(read) else {}
    apart |= {name: (here.get(name, []), there.get(name, [])) for name in other_answers(found, here, there)}
    if apart or fitting.left:
        check_partial(experiment, fitting, apart, counts)
    with torch.no_grad():
        for name, weight in fitting.taken.items():
            own[name].copy_(weight)
    print(f"init_from={place}: {said_of(fitting, counts)}", file=sys.stderr)
    return {"loaded": len(fitting.taken), "left": fitting.left, **({"rows": counts} if counts else {})}


def known_to(folder: Path, description: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, list[str]]:
    """By name, the entries that rows of weights stand for: the `vocabularies`, and the clusters of these."""
    found = vocabularies(folder, description, arguments)
    return found | {"clusters": clusters_of(found.get("tokens", []), arguments)}


def check_partial(
    experiment: Experiment,
    fitting: Fitting,
    apart: Mapping[str, tuple[Any, Any]],
    counts: Mapping[str, Mapping[str, int]],
) -> None:
    """Refuse weights that do not fit, or what is ``apart`` here and there, unless `init_from_partial` is set and some weight
    fits.

    Raises:
        ValueError: naming the first, and what `init_from_partial` takes.
    """
    if experiment.init_from_partial and fitting.taken:
        return
    said = [said_apart(name, *sides) for name, sides in apart.items()]
    some = [f"{name} {reason}" for name, reason in [*fitting.left.items()][:MOST_SHOWN]]
    some += [f"and {len(fitting.left) - MOST_SHOWN} more"] if len(fitting.left) > MOST_SHOWN else []
    if some:
        said.append(f"{number_of(fitting.left, 'weight does not fit', 'weights do not fit')}: {'; '.join(some)}")
    taken = [number_of(fitting.taken, "weight", "weights"), *rows_of(counts)]
    advice = f"init_from_partial=true takes {', '.join(taken)}" if fitting.taken else "give a run of the same kind of task"
    raise ValueError(f"init_from={experiment.init_from}: {'; '.join([*said, advice])}")


def said_apart(name: str, here: Any, there: Any) -> str:
    """How what is called ``name`` differs ``here`` and ``there``: both; of lists too long for a line, what one has alone."""
    alone = ""
    if here and there and any(shown(side).endswith("...") for side in (here, there)) and isinstance(here, list):
        lacking = ([entry for entry in side if entry not in {*other}] for side, other in ((here, there), (there, here)))
        (here, there), alone = lacking, " alone"
    sides = [shown(side) if side else "none" if alone else "not known" for side in (here, there)]
    return f"{name} are {sides[0]} here{alone} and {sides[1]} there{alone}"


def said_of(fitting: Fitting, counts: Mapping[str, Mapping[str, int]]) -> str:
    """What is taken, and what begins anew, in a line."""
    parts = [number_of(fitting.taken, "weight is taken", "weights are taken")]
    for said, each in zip(rows_of(counts), counts.values(), strict=True):
        taken, begin = "is" if each["taken"] == 1 else "are", "begins" if each["anew"] == 1 else "begin"
        parts.append(f"{said} {taken} taken, {each['anew']} {begin} anew")
    parts += [f"{name} {reason}, and is not" for name, reason in fitting.left.items()]
    return "; ".join(parts)


def rows_of(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """How many entries of each vocabulary are taken: "2 of 3 classes"."""
    return [f"{each['taken']} of {each['taken'] + each['anew']} {name}" for name, each in counts.items()]


def number_of(some: Sized, one: str, several: str) -> str:
    """How many there are, and what is said of ``one`` or of ``several``."""
    return f"{len(some)} {one if len(some) == 1 else several}"


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
    """What reads the files of ``folder``; nothing where it has weights alone.

    Raises:
        ValueError: where a training is not evaluated, and has not the files by which its numbers are known.
    """
    if (folder / DESCRIPTION).exists():
        return read_description(folder)
    if (folder / TRAINING).exists():
        raise ValueError(f"init_from={no_run(folder)}")
    return {}


def weights_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a ``state`` that are weights: truth values are constraints, which follow from the settings."""
    return {name: tensor for name, tensor in state.items() if tensor.dtype != torch.bool}


def of_other_networks(own: Sequence[str], here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, str]:
    """By name, the weights of one's ``own`` that are of another cell or another subsampling there: which these are."""
    thinned = [side.get("subsampling") for side in (here, there)]
    other = {}
    if thinned[0] != thinned[1]:
        said = f"is of the subsampling {thinned[1]} there, of {thinned[0]} here"
        other = {name: said for name in own if name.startswith("subsampling.")}
    cells = {network: (_cell(here, name), _cell(there, name)) for network, name in NETWORKS.items()}
    said = {
        network: f"is of the cell {other} there, of {mine} here" for network, (mine, other) in cells.items() if mine != other
    }
    cell = {name: said[place[0].network] for name in own if (place := place_of(name)) and place[0].network in said}
    return other | cell


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
