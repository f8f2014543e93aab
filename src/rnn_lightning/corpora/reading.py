"""Rows of a data set read some at a time: their inputs one after the other, and their answers, in files.

Shapes: T steps of a sequence, F features of a step, R rows of a split, N steps of all its rows, M of some.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..sliced import SpooledLines, SpooledRows, Values
from ..workers import Workers
from .corpus import CorpusError
from .lexicon import offsets_of


class Rows(NamedTuple):
    """Sequences one after the other, ``values`` (N,) or (N, F), and their ``offsets`` (R + 1,)."""

    values: Values
    offsets: NDArray[np.int64]


class Examples(NamedTuple):
    """The rows of a split: ``inputs`` are tokens or features, ``answers`` a class, a text or labels each, and ``others`` what
    else is known of each, if anything is. All may be gone through as often as need be."""

    inputs: Rows
    answers: Iterable[Any]
    others: Iterable[Any] | None = None


class Raw(NamedTuple):
    """A row before it is read: the ``place`` that errors name, the ``cells`` that its reader takes, and what else is known of
    it."""

    place: str
    cells: tuple[Any, ...]
    other: Any = None


class Spooled:
    """Plain values that grow at their end, in a file of ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.lines = SpooledLines(folder)

    def append(self, values: Iterable[Any]) -> None:
        self.lines.append(map(json.dumps, values))

    def __iter__(self) -> Iterator[Any]:
        return map(json.loads, self.lines)


class Read(NamedTuple):
    """Some rows as they were read: their inputs (M, ...) one after the other, their lengths, their answers; and of those that
    cannot be read, by their number, the reason."""

    values: NDArray[Any] | None
    lengths: NDArray[np.int64]
    answers: list[Any]
    wrong: dict[int, str]


Reader: TypeAlias = Callable[..., tuple[NDArray[Any], Any]]
"""Of the cells of a row its inputs (T,) or (T, F), and its answer; raises ``ValueError`` where it has none."""


@dataclass(frozen=True)
class RowReader:
    """Reads rows; ``advice`` is for those whose steps have not as many numbers as others."""

    read: Reader
    advice: str

    def __call__(self, rows: Sequence[Raw]) -> Read:
        inputs, answers, wrong = [], [], {}
        for number, row in enumerate(rows):
            try:
                values, answer = self.read(*row.cells)
            except ValueError as error:
                wrong[number] = str(error)
                continue
            inputs.append(values)
            answers.append(answer)
        check_widths((values.shape[1:] for values in inputs), self.advice)
        lengths = np.fromiter(map(len, inputs), np.int64, len(inputs))
        return Read(np.concatenate(inputs) if inputs else None, lengths, answers, wrong)


def read_examples(
    rows: Iterable[Raw],
    read: Reader,
    *,
    most_left_out: float,
    workers: Workers,
    folder: Path | None,
    at_once: int | None = None,
    advice: str = "",
) -> tuple[Examples, list[str]]:
    """The examples of ``rows`` without invalid ones, in files of ``folder``, or of the system's for such; and the places of
    these.

    Raises:
        ValueError: for a share that is none.
        CorpusError: where more than the share ``most_left_out`` of the rows is invalid, or steps have several widths.
    """
    if not 0 <= most_left_out <= 1:
        raise ValueError(f"most_left_out must be a share from 0 to 1, not {most_left_out}")
    folder = folder or Path(tempfile.gettempdir())
    inputs, answers, others = None, Spooled(folder), Spooled(folder)
    left_out: list[str] = []
    count, last = 0, ""
    for part, some in workers.map(RowReader(read, advice), rows, at_once):
        for number, reason in some.wrong.items():
            left_out.append(part[number].place)
            last = f"{part[number].place}: {reason}"
            print(f"preprocess: left out {last}", file=sys.stderr, flush=True)
        count += len(part)
        if some.values is not None:
            inputs = inputs or SpooledRows(some.values.dtype, folder)
            check_widths([*([inputs.values.shape[1:]] if len(inputs.values) else []), some.values.shape[1:]], advice)
            inputs.append(some.values, some.lengths)
        answers.append(some.answers)
        others.append(row.other for number, row in enumerate(part) if number not in some.wrong)
    if len(left_out) > most_left_out * count:
        counted = f"{len(left_out)} of {count} rows cannot be read, the last {last}"
        raise CorpusError(f"{counted}; mend them, or set most_left_out, {most_left_out}, to the share that may be left out")
    inputs = inputs or SpooledRows(np.float32, folder)
    return Examples(Rows(inputs.values, inputs.offsets), answers, others), left_out


def check_widths(shapes: Iterable[tuple[int, ...]], advice: str) -> None:
    """Check that all features have one width; ``shapes`` are those of steps.

    Raises:
        CorpusError: naming the widths and ``advice``.
    """
    widths = set(shapes)
    if len(widths) > 1:
        numbers = sorted(width for (width,) in widths)
        raise CorpusError(f"the steps have {numbers} numbers, which must be one for all; {advice}")


def concatenate(inputs: Sequence[NDArray[Any]]) -> Rows:
    """Sequences (T,) or (T, F), concatenated."""
    return Rows(np.concatenate(inputs) if len(inputs) else np.empty(0, np.float32), offsets_of(inputs))
