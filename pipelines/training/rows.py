"""Rows of weights that stand for entries of a vocabulary: which weights have some, and which are those of a run begun from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipelines.settings.nested import short_hash
from rnn_lightning.items.vocabularies import ANSWERS
from rnn_lightning.models.language_model import usual_cutoffs
from rnn_lightning.recurrent.forms import first_layers, in_form_of

NETWORKS = ("network", "encoder")
"""The networks that read features."""
INPUTS = {"embedding.weight": ("tokens",)}
FIELD = {"output.field.start": ("tags",), "output.field.end": ("tags",), "output.field.transitions": ("tags", "tags")}


def _output(layer: str, vocabulary: str) -> dict[str, tuple[str, ...]]:
    return {f"{layer}.{part}": (vocabulary,) for part in ("weight", "bias")}


ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "classification": INPUTS | _output("output", "classes"),
    "frames": _output("output", "classes"),
    "language": INPUTS | _output("output", "tokens") | _output("output.clusters", "clusters"),
    "recognition": _output("output", "labels"),
    "forecasts": {**_output("output", "outputs"), **_output("of_known", "values"), **_output("of_past", "targets")},
    "regression": INPUTS | _output("output", "outputs"),
    "tagging": {
        **{"embedding.weight": ("words",), "spelling.embedding.weight": ("characters",)},
        **_output("emissions", "tags"),
        **FIELD,
    },
    "transcription": {"decoder.embedding.weight": ("labels",), **_output("decoder.output", "labels")},
    "transduction": {"embedding.weight": ("labels",), **_output("output", "labels")},
    "values": INPUTS | _output("output", "outputs"),
    "translation": INPUTS | {"decoder.embedding.weight": ("target tokens",)} | _output("decoder.output", "target tokens"),
}
"""By the name of a predictor and of a weight: the vocabularies of the weight's first dimensions."""


class Match(NamedTuple):
    """Entries that two vocabularies have in common: their numbers ``here`` and ``there``, and the size of both."""

    here: list[int]
    there: list[int]
    sizes: tuple[int, int]

    @classmethod
    def of(cls, here: Sequence[str], there: Sequence[str]) -> "Match":
        numbers = {entry: number for number, entry in enumerate(there)}
        common = [(number, numbers[entry]) for number, entry in enumerate(here) if entry in numbers]
        return cls([one for one, _ in common], [other for _, other in common], (len(here), len(there)))

    def counts(self) -> dict[str, int]:
        """For the record: how many entries were ``taken``, and how many begin ``anew``."""
        return {"taken": len(self.here), "anew": self.sizes[0] - len(self.here)}


def clusters_of(tokens: Sequence[str], arguments: Mapping[str, Any]) -> list[str]:
    """The clusters of an adaptive softmax: the numbers of the tokens in each, and a hash of these; of another softmax none."""
    if arguments.get("output") != "adaptive":
        return []
    size = arguments["vocab_size"]
    begins = [*(arguments.get("cutoffs") or usual_cutoffs(size)), size]
    return [f"tokens {first} to {after - 1}: {short_hash(tokens[first:after])}" for first, after in pairwise(begins)]


def matches(names: Iterable[str], here: Mapping[str, Sequence[str]], there: Mapping[str, Sequence[str]]) -> dict[str, Match]:
    """By name, those vocabularies of these ``names`` that are not the same ``here`` and ``there``; of one that either lacks
    nothing is in common."""
    pairs = {name: (here.get(name, ()), there.get(name, ())) for name in sorted(names)}
    return {name: Match.of(*pair) for name, pair in pairs.items() if [*pair[0]] != [*pair[1]]}


def vocabularies_of(own: Iterable[str], rows: Mapping[str, Sequence[str]]) -> set[str]:
    """The vocabularies that weights of one's ``own`` have rows of."""
    return {vocabulary for name in own for vocabulary in rows.get(name, ())}


def readers(own: Sequence[str]) -> list[str]:
    """The names of the weights of one's ``own`` that the features of a step meet first: of the subsampling, or else of the
    network's first layer, and of what passes the network by."""
    thinned = [name for name in own if name.startswith("subsampling.")]
    return [*(thinned or first_layers(own, NETWORKS)), *(name for name in own if name.startswith(("of_known.", "of_past.")))]


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of both that are not the same, or not in the other."""
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    both = ({name: side[name] for name in names if name in side} for side in (here, there))
    return next(both), next(both)


def taken_rows(own: Tensor, given: Tensor, by: Sequence[Match | None]) -> Tensor | None:
    """``own`` with the rows of ``given`` that are of the same entries, which ``by`` says of each of the first dimensions;
    ``None`` there: both are of one vocabulary. ``None`` where shapes do not fit, or nothing is in common."""
    fitting = own.dim() == given.dim() >= len(by)
    sizes = [(size, size) for size in own.shape] if fitting else []
    sizes[: len(by)] = [match.sizes if match else size for match, size in zip(by, sizes, strict=False)]
    if not fitting or sizes != [*zip(own.shape, given.shape, strict=True)] or any(match and not match.here for match in by):
        return None
    made, (here, there) = own.clone(), ([*_places(by, own, side)] for side in (0, 1))
    made[torch.meshgrid(*here, indexing="ij")] = given[torch.meshgrid(*there, indexing="ij")].to(own)
    return made


def _places(by: Sequence[Match | None], own: Tensor, side: int) -> Iterator[Tensor]:
    """For each of the first dimensions the numbers of the common entries, on one ``side`` of their match."""
    for dimension, match in enumerate(by):
        yield torch.arange(own.shape[dimension]) if match is None else torch.tensor(match[side])


class Fitting(NamedTuple):
    """By name, the weights that are ``taken``, and why others are ``left``."""

    taken: dict[str, Tensor]
    left: dict[str, str]


def fit(
    own: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    other: Mapping[str, str],
    rows: Mapping[str, Sequence[str]],
    found: Mapping[str, Match],
) -> Fitting:
    """What of the weights ``given`` fits those of one's ``own``.

    Args:
        other: weights of one's own that are not to be taken whatever their shapes, and what is to be said of them.
        rows: as in `ROWS`.
        found: the vocabularies that differ.
    """
    there = in_form_of(own, {name: weight for name, weight in given.items() if name not in other})
    taken, left = dict[str, Tensor](), dict[str, str]()
    for name, weight in own.items():
        by = [found.get(vocabulary) for vocabulary in rows.get(name, ())]
        if name in other:
            left[name] = other[name]
        elif name not in there:
            left[name] = "is not in it"
        elif any(by):
            part = taken_rows(weight, there[name], by)
            taken |= {name: part} if part is not None else {}
            left |= {name: f"belongs to other {rows[name][0]}"} if part is None else {}
        elif there[name].shape != weight.shape:
            left[name] = f"has shape {tuple(there[name].shape)} there and {tuple(weight.shape)} here"
        else:
            taken[name] = there[name]
    return Fitting(taken, left | {name: "has no place here" for name in there if name not in own})


def other_answers(found: Iterable[str], here: Mapping[str, Sequence[str]], there: Mapping[str, Sequence[str]]) -> list[str]:
    """Those ``found`` to differ that are of answers and have other entries, not the same in another order."""
    return [name for name in found if name in ANSWERS and {*here.get(name, ())} != {*there.get(name, ())}]
