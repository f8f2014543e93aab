"""Series of measurements, a class each.

Japanese Vowels (Kudo et al., "Multidimensional Curve Classification Using Passing-Through Regions", 1999): nine speakers.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .card import CardFields
from .class_names import named, read_classes
from .examples import (
    Examples,
    HeldOut,
    check_widths,
    features_of,
    of_features,
    read_examples,
    read_splits,
    write_classes,
)
from .files import verified_source
from .hub import FromHub
from .text import read_table


class Series(FromHub):
    """A pairs corpus of the columns ``sequence``, a list of steps of F numbers, and ``label``, a class.

    ``held_out`` (``share``, ``seed``) makes a validation split of part of the training split, class by class, where the data
    set has none. A row whose numbers are not finite, or that has no step, is named and left out, up to the share
    ``most_left_out`` of its split. The rest are those of `HubSource`.
    """

    def __init__(
        self,
        *,
        sequence: str,
        label: str,
        held_out: Mapping[str, Any] | None = None,
        most_left_out: float = 0.01,
        **hub: Any,
    ) -> None:
        super().__init__(**hub)
        self.sequence, self.label, self.most_left_out = sequence, label, most_left_out
        self.held_out = None if held_out is None else HeldOut(**held_out)

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.hub.asked())
        splits = read_splits(raw, self.read, self.held_out)
        check_widths(splits.examples, f"a row of {self.sequence!r} has another number of measurements")
        more = {**of_features(splits.examples["train"].inputs), **splits.card}
        title = f"{self.hub.repository} ({self.hub.config}), {self.label}"
        write_classes(processed, splits.examples, splits.classes, CardFields(title, source, more=more))

    def read(self, path: Path) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, the places of those left out, and the names of their classes."""
        table = read_table(path, [self.sequence, self.label])
        answers, names = read_classes(table, self.label, path)
        rows = zip(table[self.sequence].to_pylist(), answers, strict=True)
        makers = ((f"row {row} of {path}", partial(example, *each)) for row, each in enumerate(rows))
        examples, refused = read_examples(makers, most_left_out=self.most_left_out)
        return examples, refused, names


def example(steps: Any, name: str | None) -> tuple[NDArray[np.float32], str]:
    """The features (T, F) of a row and its class.

    Raises:
        ValueError: where it has none.
    """
    return features_of(steps), named(name)
