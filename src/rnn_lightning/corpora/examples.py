"""Sequences with an answer each, a class or a text: read one by one, held out, and written as pairs with their card.

Shapes: T steps of a sequence, F features of a step, R rows of a split, N steps of all its rows.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, Pairs
from .lexicon import offsets_of

BLANK, UNKNOWN = "<blank>", "<unknown>"
"""The label that CTC puts between others, and the one of characters that the training split has not."""


class Examples(NamedTuple):
    """A split: ``inputs`` are tokens (T,) or features (T, F) of each row, ``answers`` its class, its text or its labels;
    ``groups`` name what results of a row are to be told apart by, where anything is."""

    inputs: list[NDArray[Any]]
    answers: list[Any]
    groups: list[str] | None = None

    def rows(self, chosen: Iterable[int]) -> "Examples":
        """The ``chosen`` rows, in their order."""
        listed = list(chosen)
        groups = None if self.groups is None else [self.groups[row] for row in listed]
        return Examples([self.inputs[row] for row in listed], [self.answers[row] for row in listed], groups)


@dataclass(frozen=True)
class HeldOut:
    """A part of the training split that is set apart: the ``share`` of it, drawn from ``seed``.

    Examples of classes are drawn class by class, each rounded to whole rows, so that all have that share.
    """

    share: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"held_out.share must lie between 0 and 1, not {self.share}")

    def cut(self, examples: Examples, *, by_class: bool) -> tuple[Examples, Examples]:
        """What is left of ``examples``, and what is held out, both in their order."""
        draws = np.random.default_rng(self.seed)
        rows = np.arange(len(examples.answers))
        groups = [rows]
        if by_class:
            answers = np.array(examples.answers)
            groups = [rows[answers == name] for name in np.unique(answers)]
        drawn = [draws.permutation(group)[: round(self.share * len(group))] for group in groups]
        held = np.isin(rows, np.concatenate(drawn))
        return examples.rows(rows[~held]), examples.rows(rows[held])


def read_examples(
    rows: Iterable[tuple[str, Callable[[], tuple[NDArray[Any], str]]]], *, most_left_out: float
) -> tuple[Examples, list[str]]:
    """What each of ``rows``, a place and what reads it, is; and the places of those that are refused, and so left out.

    Raises:
        CorpusError: where more than the share ``most_left_out`` of the rows is refused.
    """
    read: list[tuple[NDArray[Any], str]] = []
    refused: list[str] = []
    last = ""
    for place, make in rows:
        try:
            read.append(make())
        except ValueError as error:
            refused.append(place)
            last = f"{place}: {error}"
            print(f"preprocess: left out {last}", file=sys.stderr, flush=True)
    if len(refused) > most_left_out * (len(read) + len(refused)):
        raise CorpusError(f"{len(refused)} of {len(read) + len(refused)} rows cannot be read, the last {last}")
    return Examples([inputs for inputs, _ in read], [answer for _, answer in read]), refused


class Splits(NamedTuple):
    """The ``examples`` of the three splits, the ``classes`` that the training split names, and what the card says of both."""

    examples: dict[str, Examples]
    classes: list[str]
    card: dict[str, Any]


def read_splits(
    raw: Path, read: Callable[[Path], tuple[Examples, list[str], list[str]]], held_out: HeldOut | None, *, by_class: bool = True
) -> Splits:
    """The splits in ``raw``; ``validation`` is held out of ``train`` where it is to be.

    ``read`` makes of a split's file its examples, the places of what was left out, and the names of its classes.
    """
    names = SPLITS if held_out is None else ("train", "test")
    found = {split: read(raw / f"{split}.parquet") for split in names}
    examples = {split: each for split, (each, _, _) in found.items()}
    card: dict[str, Any] = {"left_out": {split: len(refused) for split, (_, refused, _) in found.items()}}
    if held_out is not None:
        train, validation = held_out.cut(examples["train"], by_class=by_class)
        examples = {"train": train, "validation": validation, "test": examples["test"]}
        stated = {"of": "train", "by": "class" if by_class else "row", **asdict(held_out)}
        card["held_out"] = {"validation": stated}
    return Splits(examples, found["train"][2], card)


def check_widths(splits: Mapping[str, Examples], advice: str) -> None:
    """Refuse features of several widths.

    Raises:
        CorpusError: naming the widths and ``advice``.
    """
    widths = {inputs.shape[1] for examples in splits.values() for inputs in examples.inputs}
    if len(widths) > 1:
        raise CorpusError(f"the steps have {sorted(widths)} numbers, which must be one for all; {advice}")


def write_classes(
    processed: Path,
    splits: Mapping[str, Examples],
    classes: Sequence[str],
    facts: CardFields,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write examples whose answers are ``classes``, and ``texts`` under their names.

    Raises:
        CorpusError: for an answer that is no class.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    for split, examples in splits.items():
        if unseen := sorted(set(examples.answers) - set(classes)):
            raise CorpusError(f"{facts.title}: the {split} split has {unseen}; the classes are {list(classes)}")
    pairs = {
        split: Pairs(*joined(examples.inputs), np.array([numbers[answer] for answer in examples.answers], np.int32))
        for split, examples in splits.items()
    }
    more = {**facts.more, "classes": list(classes), "num_classes": len(classes)}
    write_processed(processed, pairs, told(facts, more), texts)


def write_transcripts(processed: Path, splits: Mapping[str, Examples], facts: CardFields) -> None:
    """Write examples whose answers are texts or lists of labels, as labels of CTC: those of the training split behind `BLANK`.

    A label that only another split has can never be found; it is the label `UNKNOWN`, which comes last where there is
    one, so that it counts as an error, and the card says how many there are.
    """
    labels = [BLANK, *sorted(set().union(*splits["train"].answers))]
    unseen = {split: Counter(chain.from_iterable(each.answers)) for split, each in splits.items() if split != "train"}
    unseen = {split: {c: n for c, n in sorted(counts.items()) if c not in labels} for split, counts in unseen.items()}
    if any(unseen.values()):
        labels.append(UNKNOWN)
    numbers = {label: number for number, label in enumerate(labels)}
    pairs = {}
    for split, (inputs, answers, _) in splits.items():
        found = [numbers.get(character, len(labels) - 1) for answer in answers for character in answer]
        pairs[split] = Pairs(*joined(inputs), np.array(found, np.int32), offsets_of(answers))
    write_processed(processed, pairs, told(facts, {**facts.more, "labels": labels, "unknown_labels": unseen}))


def write_frames(processed: Path, splits: Mapping[str, Examples], facts: CardFields) -> None:
    """Write examples whose answers are a label for every step; the classes are those of the training split.

    Where rows have groups, ``SPLIT.groups.txt`` has them, a line each.

    Raises:
        CorpusError: for a label that the training split has not.
    """
    classes = sorted(set(chain.from_iterable(splits["train"].answers)))
    numbers = {name: number for number, name in enumerate(classes)}
    pairs = {}
    for split, (inputs, answers, _) in splits.items():
        if unseen := sorted(set(chain.from_iterable(answers)) - set(classes)):
            raise CorpusError(f"{facts.title}: the {split} split has the labels {unseen}, the train split has not")
        values, offsets = joined(inputs)
        found = np.array([numbers[name] for name in chain.from_iterable(answers)], np.int32)
        pairs[split] = Pairs(values, offsets, found, offsets)
    groups = {f"{split}.groups.txt": each.groups for split, each in splits.items() if each.groups is not None}
    texts = {name: "".join(f"{group}\n" for group in some) for name, some in groups.items()}
    write_processed(processed, pairs, told(facts, {**facts.more, "classes": classes}), texts)


def joined(inputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The sequences one after the other, (N,) or (N, F), and where each begins and the last one ends (R + 1,)."""
    return np.concatenate(inputs) if len(inputs) else np.empty(0, np.float32), offsets_of(inputs)


def told(facts: CardFields, more: Mapping[str, Any]) -> CardFields:
    """The ``facts`` with ``more`` in place of theirs."""
    return CardFields(**{**vars(facts), "more": more})


def of_features(inputs: Sequence[NDArray[np.float32]], *, alike: bool = False) -> dict[str, Any]:
    """What the card says of features: how many there are, their means and deviations in the training split ``inputs``.

    Features that are ``alike``, as the points of a picture, have one mean and deviation together. A feature that never
    changes is left as wide as it is.
    """
    values = np.concatenate(inputs).astype(np.float64)  # (N, F)
    axis = None if alike else 0
    mean, std = (np.broadcast_to(of(values, axis=axis), values.shape[1:]) for of in (np.mean, np.std))
    numbers = {"mean": mean.tolist(), "std": np.where(std > 1e-6, std, 1.0).tolist()}
    return {"input_size": values.shape[1], "standardize": numbers}


def features_of(values: Any, width: int | None = None) -> NDArray[np.float32]:
    """``values`` as features (T, F).

    Raises:
        ValueError: where they are none: of another shape or ``width``, without a step, or not finite.
    """
    features = np.asarray(values, np.float32)
    if features.ndim != 2 or not len(features) or (width is not None and features.shape[1] != width):
        raise ValueError(f"features must have shape (T, {width or 'F'}), not {features.shape}")
    wrong = np.flatnonzero(~np.isfinite(features).all(1))
    if len(wrong):
        raise ValueError(f"step {wrong[0]} is {features[wrong[0]].tolist()}; features must be finite")
    return features
