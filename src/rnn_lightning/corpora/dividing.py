"""Train, validation and test of a data set that has other splits: by name, by slice, or drawn by a seed.

Shapes: R rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .corpus import SPLITS, CorpusError

LARGEST = 1 << 62
"""More rows than any split has."""
ADVICE = "{share: 0.1, seed: 1}"
WAYS = {
    "train": "name it in splits, such as {train: NAME}",
    "validation": f"set held_out, such as {ADVICE}, or splits, such as "
    "{train: 'train[:90%]', validation: 'train[90%:]', ...}",
    "test": "set held_out, such as {share: 0.1, test: 0.1, seed: 1}, or splits, such as {test: NAME}",
}
"""The settings that make a split which is not there."""


class Loaded(NamedTuple):
    """A data set: its ``splits``, ``datasets.Dataset`` by name, and the ``facts`` that ``source.json`` states of it."""

    splits: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class HeldOut:
    """Rows of the training split for validation, the share ``share``, and for ``test``, drawn by the random ``seed``.

    They are drawn class by class (stratified) where rows have classes, each rounded to whole rows. With ``by``, a column
    such as that of documents or speakers, rows of one value stay together.
    """

    share: float
    seed: int
    test: float = 0.0
    by: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"held_out.share must lie between 0 and 1, not {self.share}")
        if not 0 <= self.test < 1 - self.share:
            raise ValueError(f"held_out.test must lie between 0 and 1 - share, which is {1 - self.share:g}, not {self.test}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "HeldOut":
        """As ``settings`` say.

        Raises:
            ValueError: for a key that there is not, or without one that there must be.
        """
        allowed = [field.name for field in fields(cls)]
        if (unknown := sorted(settings.keys() - set(allowed))) or not {"share", "seed"} <= settings.keys():
            wrong = f"not {unknown[0]!r}" if unknown else f"share and seed among them, not {sorted(settings)}"
            raise ValueError(f"the keys of held_out must be of {', '.join(allowed)}, {wrong}")
        return cls(**settings)

    def draw(self, rows: int, classes: Sequence[str | None] | None = None) -> dict[str, NDArray[np.int64]]:
        """The numbers of the rows that each split has, in order; ``classes`` (R,) has those of the rows."""
        draws = np.random.default_rng(self.seed)
        numbers = np.arange(rows)
        groups = [numbers]
        if classes is not None:
            names = np.array([name or "" for name in classes])
            groups = [numbers[names == name] for name in np.unique(names)]
        return self._shared(rows, [draws.permutation(group) for group in groups])

    def draw_together(self, units: Sequence[Any]) -> dict[str, NDArray[np.int64]]:
        """As ``draw``, but rows of the same unit stay together; ``units`` (R,) has those of the rows."""
        numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
        drawn, of_row = self.draw(len(numbers)), np.array([numbers[unit] for unit in units])
        return {split: np.flatnonzero(np.isin(of_row, some)) for split, some in drawn.items()}

    def draw_passages(self, rows: int) -> dict[str, NDArray[np.int64]]:
        """As ``draw`` for running text: what is held out is one passage, at a place that the seed decides, validation first."""
        held = round(self.share * rows) + round(self.test * rows)
        begin = int(np.random.default_rng(self.seed).integers(rows - held + 1))
        return self._shared(rows, [np.roll(np.arange(rows), -begin)])

    def _shared(self, rows: int, groups: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """The first rows of each group for validation, those behind them for the test, the others for training."""
        ends = [(round(self.share * len(group)), round(self.test * len(group))) for group in groups]
        cuts = [np.split(group, [first, first + second]) for group, (first, second) in zip(groups, ends, strict=True)]
        validation, test, train = (np.sort(np.concatenate([cut[part] for cut in cuts])) for part in range(3))
        drawn = {"train": train, "validation": validation, **({"test": test} if self.test else {})}
        if empty := [split for split, some in drawn.items() if not len(some)]:
            raise CorpusError(f"held_out leaves the {empty[0]} split without a row, of {rows}: give other shares, or more rows")
        return drawn


def named_splits(parts: Mapping[str, Any], splits: Mapping[str, str]) -> dict[str, Any]:
    """The ``splits``, each a name or slices of the ``parts`` (``datasets.Dataset`` by name): ``train[:90%]``, ``a+b[10:]``.

    Raises:
        ValueError: for what is no such slice, of a part that is not there, or has rows of another of `SPLITS`.
    """
    from datasets import concatenate_datasets

    def cut(name: str, start: int, stop: int) -> Any:
        whole = stop - start == len(parts[name])
        return parts[name] if whole else parts[name].select(range(start, stop))

    sizes = {name: len(part) for name, part in parts.items()}
    slices = {split: slices_of(split, written, sizes) for split, written in splits.items()}
    _check_apart(slices, splits, sizes)
    named = {}
    for split, some in slices.items():
        chosen = [cut(*part) for part in some]
        named[split] = chosen[0] if len(chosen) == 1 else concatenate_datasets(chosen)
    return named


def _check_apart(
    slices: Mapping[str, Sequence[tuple[str, int, int]]], splits: Mapping[str, str], sizes: Mapping[str, int]
) -> None:
    """Check that no two of train, validation and test share rows."""
    taken = {split: {name: np.zeros(size, np.bool_) for name, size in sizes.items()} for split in slices if split in SPLITS}
    for split, of_part in taken.items():
        for name, start, stop in slices[split]:
            of_part[name][start:stop] = True
    for one, other in combinations(taken, 2):
        if shared := sum(int((taken[one][name] & taken[other][name]).sum()) for name in sizes):
            both = f"splits.{one} {splits[one]!r} and splits.{other} {splits[other]!r}"
            raise CorpusError(f"{both} share {shared} rows; no row may be in two splits")


def needed_parts(splits: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """The names among the ``known`` ones that ``splits`` need."""
    sizes = dict.fromkeys(known, LARGEST)
    return sorted({name for split, written in splits.items() for name, _, _ in slices_of(split, written, sizes)})


def slices_of(split: str, written: str, sizes: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Names, first rows and ends of the slices that ``written`` is, as `datasets.load_dataset` reads it.

    Raises:
        ValueError: for what is no slice, or of a name that ``sizes`` does not have.
    """
    from datasets import ReadInstruction

    try:
        found = ReadInstruction.from_spec(str(written)).to_absolute(dict(sizes))
    except (ValueError, AssertionError):
        known = ", ".join(sorted(sizes))
        raise ValueError(f"no split {written!r} for splits.{split}; it has {known}, and slices such as train[:90%]") from None
    return [(part.splitname, part.from_, part.to) for part in found]


def check_split_names(names: Iterable[str]) -> None:
    """Refuse files by another name than that of a split: without ``splits`` nothing would read them.

    Raises:
        ValueError: naming the split that may be meant.
    """
    for name in names:
        if name not in SPLITS:
            (near,) = get_close_matches(name, SPLITS, 1) or ("",)
            meant = f" (the nearest is {near})" if near else ""
            advice = f"say in splits what other files are, such as {{train: train, {near or 'validation'}: {name}}}"
            raise ValueError(f"files.{name}: there is no such split{meant}; there are {', '.join(SPLITS)}; {advice}")


def check_all_used(splits: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse files, by the ``names`` that ``splits`` take rows from, that these take no row of.

    Raises:
        ValueError: naming them.
    """
    if unused := sorted({*names} - {*needed_parts(splits, names)}):
        written = ", ".join(f"{split}: {said}" for split, said in splits.items())
        raise ValueError(f"files.{unused[0]} are of no split: name them in splits, which are {{{written}}}, or leave them out")


def check_splits(splits: Mapping[str, Any], needed: Sequence[str], source: str, ways: Mapping[str, str] = WAYS) -> None:
    """Check that the ``needed`` splits are there.

    Raises:
        CorpusError: naming the split, and which of the ``ways`` makes one.
    """
    there = ", ".join(splits)
    for name in needed:
        if name not in splits:
            raise CorpusError(f"{source}: no split {name!r}; it has {there}: {ways[name]}")


def check_rows(splits: Mapping[str, Any], rows: Mapping[str, int] | None, source: str) -> None:
    """Check that no split is missing, empty or of another size than ``rows`` says.

    Raises:
        CorpusError: naming it.
    """
    for name, expected in (rows or {}).items():
        if name not in splits:
            raise CorpusError(f"{source}: no split {name!r}; it has {sorted(splits)}")
        if len(splits[name]) != expected:
            raise CorpusError(f"{source}: split {name!r} has {len(splits[name])} rows, expected {expected}")
    for name, split in splits.items():
        if not len(split):
            raise CorpusError(f"{source}: split {name!r} is empty")


def held_out_splits(splits: Mapping[str, Any], drawn: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """The ``splits`` with those that are ``drawn`` from the training split, by their rows.

    Raises:
        CorpusError: where one of these is there already.
    """
    for split, key in (("validation", "held_out"), ("test", "held_out.test")):
        if split in drawn and split in splits:
            raise CorpusError(
                f"{key} draws the split {split!r}, which is there already: leave it out, or say in splits what to take"
            )
    made = {**splits, **{split: splits["train"].select(rows) for split, rows in drawn.items()}}
    return dict(sorted(made.items()))
