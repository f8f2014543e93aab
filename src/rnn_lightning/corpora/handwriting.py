"""Online handwriting recognition: pen trajectories with their text.

UNIPEN (Guyon et al., "UNIPEN project of on-line data exchange and recognizer benchmarks", 1994), features as in `pen`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..pen import FEATURES, pen_features
from .card import CardFields
from .corpus import SPLITS, CorpusError, RawSplit
from .examples import feature_card, write_transcripts
from .parquet import FEW, Tables
from .reading import Examples, Raw, read_examples
from .reads import Column, given
from .source import FromSource


@dataclass(kw_only=True, eq=False)
class Handwriting(FromSource):
    """A pairs corpus for CTC: columns of ``strokes``, lists of points [x, y], and of their ``text``.

    ``writer`` is the column of writers; no writer may be in two splits, and the card counts them. ``spacing`` and ``upright``
    are those of `pen_features`. A row without a trajectory or a text is named and left out, up to the share ``most_left_out``
    of its split. The other fields are those of `FromSource`.
    """

    item_settings: ClassVar[tuple[str, ...]] = ("spacing", "upright")

    strokes: str
    text: str
    writer: str | None = None
    spacing: float = 0.2
    upright: bool = False
    most_left_out: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.spacing > 0:
            raise ValueError(f"spacing must be above 0, not {self.spacing}")

    def columns(self) -> list[Column]:
        return [Column("strokes", self.strokes), Column("text", self.text, "text"), *given("writer", self.writer)]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        splits: dict[str, Examples] = {}
        left_out, writers = {}, {}
        for split in SPLITS:
            path = raw / f"{split}.parquet"
            splits[split], omitted = self.read(path, processed.parent)
            left_out[split], writers[split] = len(omitted), self.writers_of(path)
        more = {
            "features": list(FEATURES),
            **feature_card(splits["train"].inputs.values),
            "left_out": left_out,
            **self.count_writers(writers),
        }
        title = f"{self.origin.title}, {self.text}"
        write_transcripts(processed, splits, CardFields(title, source, more=more))

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("transcripts", self.read(path)[0])

    def read(self, path: Path, folder: Path | None = None) -> tuple[Examples, list[str]]:
        """The examples of a Parquet file, in files of ``folder``, and the places of rows left out."""
        cells = Tables(path, [self.strokes, self.text], rows=FEW).placed(self.strokes, self.text)
        rows = (Raw(place, some) for place, some in cells)
        most, workers = self.most_left_out, self.workers
        return read_examples(rows, self.read_row, most_left_out=most, workers=workers, folder=folder, at_once=FEW)

    def writers_of(self, path: Path) -> set[Any]:
        """The writers of a Parquet file, if it names them."""
        return set() if self.writer is None else {name for (name,) in Tables(path, [self.writer]).lists(self.writer)}

    def read_row(self, strokes: Sequence[Any] | None, text: str | None) -> tuple[NDArray[np.float32], str]:
        """The features (T, F) of a row's trajectory, and its text.

        Raises:
            ValueError: where it has no valid trajectory, or no text.
        """
        if not text:
            raise ValueError("it has no text")
        trajectory = [[point for point in stroke or [] if point is not None] for stroke in strokes or []]
        return pen_features(trajectory, spacing=self.spacing, upright=self.upright), text

    def inputs(self) -> dict[str, Any]:
        return {"name": "strokes", "spacing": self.spacing, "upright": self.upright}

    def count_writers(self, writers: Mapping[str, set[str]]) -> dict[str, Any]:
        """The entry of the card on the writers of each split.

        Raises:
            CorpusError: where a writer is in two splits.
        """
        if self.writer is None:
            return {}
        for split, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            if both := writers[split] & writers[other]:
                raise CorpusError(f"{self.origin}: writers {sorted(both, key=str)} are in both {split} and {other}")
        return {"writers": {**{split: len(some) for split, some in writers.items()}, "in_two_splits": 0}}
