"""Time series classification: series of measurements, a class each.

Japanese Vowels (Kudo et al., "Multidimensional Curve Classification Using Passing-Through Regions", 1999): nine speakers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import read_classes, require_class
from .corpus import RawSplit
from .examples import (
    Examples,
    HeldOut,
    check_widths,
    feature_card,
    features_of,
    read_examples,
    read_splits,
    write_classes,
)
from .files import verified_source
from .hub import FromHub
from .text import read_table


@dataclass(kw_only=True, eq=False)
class Series(FromHub):
    """A pairs corpus of the columns ``sequence``, a list of steps of F numbers, and ``label``, a class.

    ``held_out`` (``share``, ``seed``) draws the validation split from the training split, class by class, where the data set
    has none. A row whose numbers are not finite, or that has no step, is named and left out, up to the share ``most_left_out``
    of its split. The other fields are those of `HubSource`.
    """

    sequence: str
    label: str
    held_out: Mapping[str, Any] | None = None
    most_left_out: float = 0.01

    def __post_init__(self) -> None:
        self.validation = None if self.held_out is None else HeldOut(**self.held_out)

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.hub.spec())
        splits = read_splits(raw, self.read, self.validation)
        check_widths(splits.examples, f"a row of {self.sequence!r} has another number of measurements")
        more = {**feature_card(splits.examples["train"].inputs), **splits.card}
        title = f"{self.repository} ({self.config}), {self.label}"
        write_classes(processed, splits.examples, splits.classes, CardFields(title, source, more=more))

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("classes", lambda tokenizer: self.read(path)[0])

    def read(self, path: Path) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, the places of rows left out, and the class names."""
        table = read_table(path, [self.sequence, self.label])
        answers, names = read_classes(table, self.label, path)
        rows = zip(table[self.sequence].to_pylist(), answers, strict=True)
        readers = ((f"row {number} of {path}", partial(read_row, *row)) for number, row in enumerate(rows))
        examples, left_out = read_examples(readers, most_left_out=self.most_left_out)
        return examples, left_out, names


def read_row(steps: Any, name: str | None) -> tuple[NDArray[np.float32], str]:
    """The features (T, F) of a row and its class.

    Raises:
        ValueError: where it has no valid features, or no class.
    """
    return features_of(steps), require_class(name)
