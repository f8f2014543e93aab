"""Sequences with a class, a text or labels each, written as pairs with their card.

Shapes: T steps of a sequence, F features of a step, R rows of a split, N steps of all its rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sliced import SpooledArray, Values
from .card import CardFields, write_processed
from .corpus import SPLITS, CorpusError, Pairs
from .lexicon import offsets_of
from .moments import mean_and_deviation
from .reading import Examples

BLANK, UNKNOWN_LABEL = "<blank>", "<unknown>"
"""The blank of CTC, and the label of characters that the training split lacks."""


class Splits(NamedTuple):
    """The ``examples`` of the three splits, the ``classes`` of the training split, and their entries of the card."""

    examples: dict[str, Examples]
    classes: list[str]
    card: dict[str, Any]


def read_splits(raw: Path, read: Callable[[Path], tuple[Examples, list[str], list[str]]]) -> Splits:
    """The splits in ``raw``; ``read`` returns the examples of a split's file, the places of rows left out, and the names of
    its classes."""
    parts = {split: read(raw / f"{split}.parquet") for split in SPLITS}
    left_out = {split: len(part[1]) for split, part in parts.items()}
    return Splits({split: part[0] for split, part in parts.items()}, parts["train"][2], {"left_out": left_out})


def write_classes(
    processed: Path,
    splits: Mapping[str, Examples],
    classes: Sequence[str],
    fields: CardFields,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write examples of ``classes``, and ``texts`` under their names.

    Raises:
        CorpusError: for an answer that is none of the classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    pairs = {}
    for split, (inputs, answers, _) in splits.items():
        if unseen := sorted(set(answers) - set(classes)):
            raise CorpusError(f"{fields.title}: the {split} split has {unseen}; the classes are {list(classes)}")
        pairs[split] = Pairs(*inputs, SpooledArray.of((numbers[answer] for answer in answers), np.int32, processed.parent))
    more = {**fields.more, "classes": list(classes), "num_classes": len(classes)}
    write_processed(processed, pairs, replace(fields, more=more), texts)


def write_numbers(
    processed: Path, splits: Mapping[str, Examples], fields: CardFields, targets: Sequence[str] | None = None
) -> None:
    """Write examples of a number each, or of several, the ``targets``; the mean over the training split is a reference.

    Several are learnt and measured as multiples of their standard deviations in the training split, which the card has.
    """
    numbers = {split: as_numbers(some.answers, len(targets or [])) for split, some in splits.items()}
    pairs = {split: Pairs(*some.inputs, numbers[split]) for split, some in splits.items()}
    mean, errors = numbers["train"].mean(0, dtype=np.float64), numbers["test"].astype(np.float64)
    more = dict(fields.more)
    if targets is not None:
        scale = numbers["train"].std(0, dtype=np.float64)
        scale = np.where(scale > 0, scale, 1.0)
        more |= {"targets": [*targets], "standardize_targets": {"mean": mean.tolist(), "std": scale.tolist()}}
        errors, mean = errors / scale, mean / scale
    references = {"baseline_mean_squared_error": float(((errors - mean) ** 2).mean())}
    write_processed(processed, pairs, replace(fields, references=references, more=more))


def as_numbers(answers: Iterable[Any], several: int = 0) -> NDArray[np.float32]:
    """The numbers (R,) of R rows, or (R, K) where each has ``several``, which is K."""
    kind: Any = (np.float32, several) if several else np.float32
    return np.fromiter(answers, np.dtype(kind))


def write_transcripts(processed: Path, splits: Mapping[str, Examples], fields: CardFields) -> None:
    """Write examples of texts or label sequences for CTC; the labels are `BLANK` and then those of the training split.

    A label that the training split lacks cannot be learned; it is the label `UNKNOWN_LABEL`, which comes last where there is
    one, so that it counts as an error, and the card says how many there are.
    """
    labels = [BLANK, *sorted(set(chain.from_iterable(splits["train"].answers)))]
    unseen = {split: Counter(chain.from_iterable(some.answers)) for split, some in splits.items() if split != "train"}
    unseen = {split: {c: n for c, n in sorted(counts.items()) if c not in labels} for split, counts in unseen.items()}
    if any(unseen.values()):
        labels.append(UNKNOWN_LABEL)
    numbers = {label: number for number, label in enumerate(labels)}
    pairs = {}
    for split, (inputs, answers, _) in splits.items():
        targets = (numbers.get(label, len(labels) - 1) for label in chain.from_iterable(answers))
        pairs[split] = Pairs(*inputs, SpooledArray.of(targets, np.int32, processed.parent), offsets_of(answers))
    write_processed(processed, pairs, replace(fields, more={**fields.more, "labels": labels, "unknown_labels": unseen}))


def write_frames(processed: Path, splits: Mapping[str, Examples], fields: CardFields) -> None:
    """Write examples of a label for every step; the classes are the labels of the training split.

    Where rows have groups, their ``others``, ``SPLIT.groups.txt`` has them, a line each.

    Raises:
        CorpusError: for a label that the training split has not.
    """
    classes = sorted(set(chain.from_iterable(splits["train"].answers)))
    numbers = {name: number for number, name in enumerate(classes)}
    pairs = {}
    for split, (inputs, answers, _) in splits.items():
        if unseen := sorted(set(chain.from_iterable(answers)) - set(classes)):
            raise CorpusError(f"{fields.title}: the {split} split has the labels {unseen}, the train split has not")
        targets = SpooledArray.of((numbers[name] for name in chain.from_iterable(answers)), np.int32, processed.parent)
        pairs[split] = Pairs(*inputs, targets, inputs.offsets)
    groups = {f"{split}.groups.txt": some.others for split, some in splits.items() if some.others is not None}
    texts = {name: (f"{group}\n" for group in some) for name, some in groups.items()}
    write_processed(processed, pairs, replace(fields, more={**fields.more, "classes": classes}), texts)


def feature_card(values: Values, *, alike: bool = False) -> dict[str, Any]:
    """The entries of the card on features (N, F) of the training split: their number, their means and standard deviations.

    Features that are ``alike``, as the pixels of a picture, share one mean and deviation. The deviation of a constant feature
    is given as 1.
    """
    mean, std = (np.broadcast_to(number, values.shape[1:]) for number in mean_and_deviation(values, alike=alike))
    numbers = {"mean": mean.tolist(), "std": np.where(std > 1e-6, std, 1.0).tolist()}
    return {"input_size": values.shape[1], "standardize": numbers}


def features_of(values: Any, width: int | None = None) -> NDArray[np.float32]:
    """``values`` as features (T, F), checked.

    Raises:
        ValueError: for values of another shape or ``width``, without a step, or not finite.
    """
    try:
        given = np.asarray(values)
    except ValueError:
        raise ValueError("features must be an array (T, F): the rows given have different lengths") from None
    if given.dtype.kind not in "fiu":
        raise ValueError(f"features must be an array (T, F) of numbers, not {given.dtype}")
    features = given.astype(np.float32, copy=False)
    if features.ndim != 2 or not len(features) or (width is not None and features.shape[1] != width):
        raise ValueError(f"features must have shape (T, {width or 'F'}), not {features.shape}")
    wrong = np.flatnonzero(~np.isfinite(features).all(1))
    if len(wrong):
        raise ValueError(f"step {wrong[0]} is {features[wrong[0]].tolist()}; features must be finite")
    return features
