"""Mean and standard deviation of arrays larger than memory, to the bits that NumPy gives for the whole.

Shapes: N rows, F features.
"""

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..sliced import SpooledArray, Values, blocks
from .reading import Rows

Numbers: TypeAlias = NDArray[np.float64]
LEAF = 1 << 17
"""The most numbers that NumPy adds at once."""


def mean_and_deviation(values: Values, *, alike: bool = False) -> tuple[Numbers, Numbers]:
    """``mean`` and ``std`` of ``values`` (N, F) in double precision: of each feature (F,), or of all numbers where they are
    ``alike``."""
    single = values.shape[1:] == (1,)  # which NumPy adds as it does the numbers of all
    add, count = (_sum if alike or single else _column_sums), (math.prod(values.shape) if alike else len(values))
    mean = add(values, lambda block: block) / count
    return mean, np.sqrt(add(values, lambda block: np.square(block - mean)) / count)


def _column_sums(values: Values, change: Callable[[Numbers], Numbers]) -> Numbers:
    """The sums (F,) of the changed rows, which NumPy adds one after the other."""
    total = np.zeros((0, *values.shape[1:]))
    for block in blocks(values):
        total = np.add.reduce(np.concatenate([total, change(block.astype(np.float64))]), axis=0, keepdims=True)
    return total[0]


def _sum(values: Values, change: Callable[[Numbers], Numbers]) -> Numbers:
    """The sum of all changed numbers, which NumPy adds by halves, the first of them a multiple of 8 (pairwise summation)."""
    width = math.prod(values.shape[1:])

    def added(start: int, count: int) -> Numbers:
        if count > LEAF:
            half = count // 2 - count // 2 % 8
            return added(start, half) + added(start + half, count - half)
        first, last = start // width, -(-(start + count) // width)
        numbers = change(values[first:last].astype(np.float64).reshape(-1))
        return np.add.reduce(numbers[start - first * width :][:count])

    return added(0, math.prod(values.shape))


def standardize_speakers(inputs: Rows, speakers: Sequence[Any], folder: Path | None) -> Rows:
    """The features of each speaker standardized to mean 0 and deviation 1 over all of the speaker's rows."""
    bounds, rows = list(pairwise(inputs.offsets.tolist())), defaultdict(list)
    for row, speaker in enumerate(speakers):
        rows[speaker].append(bounds[row])
    numbers = {}
    for speaker, some in rows.items():
        frames = np.concatenate([inputs.values[start:stop] for start, stop in some])
        numbers[speaker] = frames.mean(0), np.maximum(frames.std(0), 1e-6)
    standardized = SpooledArray(np.float32, folder or Path(tempfile.gettempdir()))
    for speaker, (start, stop) in zip(speakers, bounds, strict=True):
        mean, deviation = numbers[speaker]
        standardized.append((inputs.values[start:stop] - mean) / deviation)
    return Rows(standardized, inputs.offsets)
