"""Speech from the Hub: a label for every frame, a transcript without times, or a class.

Columns of framewise speech are those of gilkeyio/librispeech-alignments (McAuliffe et al. 2017).

Shapes: N samples, T frames, F features.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import Spectra
from .card import CardFields
from .class_names import named, read_classes
from .examples import (
    Examples,
    HeldOut,
    of_features,
    read_examples,
    read_splits,
    write_classes,
    write_frames,
    write_transcripts,
)
from .files import verified_source
from .hub import FromHub
from .signals import samples_of
from .text import read_table

UNITS = ("character", "word")


class Speech(FromHub):
    """Sound in the column ``audio``, as `Spectra` of the keywords ``spectra``; what is said of it, a subclass knows.

    ``row`` is the column that names a row where it is left out; without it rows are counted from 0. ``per_speaker`` is the
    column of speakers whose features are each brought to mean 0 and deviation 1. ``group`` is one by which results are told
    apart. ``held_out`` (``share``, ``seed``) makes a
    validation split of part of the training split where the data set has none. A row that cannot be read is named and left
    out, up to the share ``most_left_out`` of its split. The rest are those of `HubSource`.
    """

    answer_column: str

    def __init__(
        self,
        *,
        spectra: Mapping[str, Any],
        audio: str = "audio",
        row: str | None = None,
        per_speaker: str | None = None,
        group: str | None = None,
        held_out: Mapping[str, Any] | None = None,
        most_left_out: float = 0.01,
        **hub: Any,
    ) -> None:
        super().__init__(**hub)
        self.spectra = Spectra(**spectra)
        self.audio, self.row, self.per_speaker, self.group = audio, row, per_speaker, group
        self.most_left_out = most_left_out
        self.held_out = None if held_out is None else HeldOut(**held_out)

    @abstractmethod
    def answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        """What the rows of a ``pyarrow.Table`` say, and the names of classes if these are classes."""

    @abstractmethod
    def answer(self, told: Any, frames: int) -> Any:
        """The answer for a row of so many frames.

        Raises:
            ValueError: where it has none.
        """

    @abstractmethod
    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], facts: CardFields) -> None:
        """Write the examples with their card."""

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw, self.hub.asked())
        splits = read_splits(raw, self.read, self.held_out, by_class=self.by_class)
        more = {**of_features(splits.examples["train"].inputs), **splits.card, "spectra": vars(self.spectra)}
        title = f"{self.hub.repository} ({self.hub.config}), {self.answer_column}"
        self.write(processed, splits.examples, splits.classes, CardFields(title, source, more=more))

    by_class = False

    def read(self, path: Path) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, the places of those left out, and the names of their classes."""
        columns = [each for each in (self.row, self.per_speaker, self.group) if each is not None]
        table = read_table(path, [self.answer_column, *columns, f"{self.audio}.bytes"])
        told, classes = self.answers(table, path)
        names = table[self.row].to_pylist() if self.row else range(len(table))
        places = [f"row {name} of {path}" for name in names]
        sounds = zip(table[f"{self.audio}.bytes"].to_pylist(), told, strict=True)
        makers = zip(places, (partial(self.example, *each) for each in sounds), strict=True)
        examples, refused = read_examples(makers, most_left_out=self.most_left_out)
        kept = [row for row, place in enumerate(places) if place not in set(refused)]
        of_rows = {column: table[column].to_pylist() for column in columns}
        if self.per_speaker:
            speakers = [of_rows[self.per_speaker][row] for row in kept]
            examples = examples._replace(inputs=by_speaker(examples.inputs, speakers))
        if self.group:
            examples = examples._replace(groups=[str(of_rows[self.group][row]) for row in kept])
        return examples, refused, classes

    def example(self, data: bytes | None, told: Any) -> tuple[NDArray[np.float32], Any]:
        """The features (T, F) of a sound, and what it says.

        Raises:
            ValueError: where it cannot be read, or says nothing.
        """
        if data is None:
            raise ValueError("it has no sound")
        features = self.spectra.features(samples_of(data, self.spectra.sampling_rate))
        return features, self.answer(told, len(features))

    def inputs(self) -> dict[str, Any]:
        if self.per_speaker is not None:  # a file does not say whose mean and deviation its features need
            return {"name": "arrays"}
        return {"name": "sound", **vars(self.spectra)}


class FramewiseSpeech(Speech):
    """A label for every frame: that of the segment in which the frame's centre lies.

    ``segments`` is a column of lists of {``label``, start, end}, in seconds, one after the other; a frame behind the last has
    the last one's label.
    """

    def __init__(self, *, segments: str = "phonemes", label: str = "phoneme", **speech: Any) -> None:
        super().__init__(**speech)
        self.answer_column, self.label = segments, label

    def answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        return table[self.answer_column].to_pylist(), []

    def answer(self, told: Any, frames: int) -> list[str]:
        return labels_of(told or [], self.label, self.spectra.centres(frames))

    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], facts: CardFields) -> None:
        write_frames(processed, splits, facts)


class TranscribedSpeech(Speech):
    """What is said, without times: the ``text`` in characters or words, or with ``label`` that of each of its segments."""

    def __init__(self, *, text: str, unit: str = "character", label: str | None = None, **speech: Any) -> None:
        super().__init__(**speech)
        if unit not in UNITS:
            raise ValueError(f"unit must be one of {UNITS}, not {unit!r}")
        self.answer_column, self.unit, self.label = text, unit, label

    def answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        return table[self.answer_column].to_pylist(), []

    def answer(self, told: Any, frames: int) -> Sequence[str]:
        if not told:
            raise ValueError("it has no transcript")
        if self.label is not None:
            return [segment[self.label] for segment in told]
        return told if self.unit == "character" else told.split()

    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], facts: CardFields) -> None:
        write_transcripts(processed, splits, facts)


class SpokenClasses(Speech):
    """A class for each sound: the column ``label`` of class labels or names, or of numbers that ``classes`` name."""

    by_class = True

    def __init__(self, *, label: str, classes: Sequence[str] | None = None, **speech: Any) -> None:
        super().__init__(**speech)
        self.answer_column, self.classes = label, None if classes is None else list(classes)

    def answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        if self.classes is None:
            return read_classes(table, self.answer_column, path)
        names = dict(enumerate(self.classes))
        return [names.get(number) for number in table[self.answer_column].to_pylist()], self.classes

    def answer(self, told: Any, frames: int) -> str:
        return named(told)

    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], facts: CardFields) -> None:
        write_classes(processed, splits, classes, facts)


def labels_of(segments: Sequence[Mapping[str, Any]], label: str, centres: NDArray[np.float64]) -> list[str]:
    """The label of the segment in which each of the ``centres`` (T,) lies.

    Raises:
        ValueError: where there is no segment, or one begins before the last ended.
    """
    starts = np.array([segment["start"] for segment in segments], dtype=np.float64)
    ends = np.array([segment["end"] for segment in segments], dtype=np.float64)
    if not len(starts):
        raise ValueError("it has no segments")
    if (starts[1:] < ends[:-1] - 1e-6).any() or (ends < starts).any():
        raise ValueError("its segments overlap or are out of order")
    places = np.searchsorted(starts, centres, side="right") - 1
    return [segments[max(place, 0)][label] for place in places.tolist()]


def by_speaker(inputs: Sequence[NDArray[np.float32]], speakers: Sequence[str]) -> list[NDArray[np.float32]]:
    """The features of each speaker brought to mean 0 and deviation 1, by the numbers of all that he or she says here."""
    numbers = {}
    for speaker in set(speakers):
        own = np.concatenate([each for each, said_by in zip(inputs, speakers, strict=True) if said_by == speaker])
        numbers[speaker] = own.mean(0), np.maximum(own.std(0), 1e-6)
    moved = [(each - numbers[speaker][0]) / numbers[speaker][1] for each, speaker in zip(inputs, speakers, strict=True)]
    return [each.astype(np.float32) for each in moved]
