"""Speech corpora: with a label for every frame, a transcript, or a class.

Columns of framewise speech are those of gilkeyio/librispeech-alignments (McAuliffe et al. 2017).

Shapes: N samples, T frames, F features.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..audio import Spectra
from .card import CardFields
from .class_names import require_class
from .corpus import RawSplit
from .examples import (
    Examples,
    feature_card,
    read_examples,
    read_splits,
    write_classes,
    write_frames,
    write_transcripts,
)
from .parquet import read_table
from .reads import Column, given
from .signals import samples_of
from .source import FromSource

TRANSCRIPT_UNITS = ("character", "word")


@dataclass(kw_only=True, eq=False)
class Speech(FromSource):
    """Sound in the column ``audio``, as `Spectra` of the keywords ``spectra``; subclasses read the answers.

    ``row`` is the column that names a row left out; without it rows are counted from 0. ``per_speaker`` is the column of
    speakers whose features are each standardized to mean 0 and deviation 1. ``group`` is a column by which results are reported
    separately. A row that cannot be read is named and left out, up to the share ``most_left_out`` of its split. The other
    fields are those of `FromSource`.
    """

    item_settings: ClassVar[tuple[str, ...]] = ("spectra",)

    spectra: Mapping[str, Any]
    audio: str = "audio"
    row: str | None = None
    per_speaker: str | None = None
    group: str | None = None
    most_left_out: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.frontend = Spectra(**self.spectra)

    @abstractmethod
    def answer_of(self) -> Column:
        """The column of the answers: labels of segments, transcripts or classes."""

    @abstractmethod
    def read_answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        """The raw answers of the rows of a ``pyarrow.Table``, and the class names if they are classes."""

    @abstractmethod
    def answer(self, raw: Any, frames: int) -> Any:
        """The answer of a row of so many frames, from its ``raw`` one.

        Raises:
            ValueError: where it has none.
        """

    @abstractmethod
    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], fields: CardFields) -> None:
        """Write the examples with their card."""

    def columns(self) -> list[Column]:
        others = {"row": self.row, "per_speaker": self.per_speaker, "group": self.group}
        more = [column for key, name in others.items() for column in given(key, name)]
        return [Column("audio", self.audio, "media"), self.answer_of(), *more]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        splits = read_splits(raw, self.read)
        more = {**feature_card(splits.examples["train"].inputs), **splits.card, "spectra": vars(self.frontend)}
        title = f"{self.origin.title}, {self.answer_of().name}"
        self.write(processed, splits.examples, splits.classes, CardFields(title, source, more=more))

    def read(self, path: Path) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, the places of rows left out, and the class names."""
        columns = [column for column in (self.row, self.per_speaker, self.group) if column is not None]
        table = read_table(path, [self.answer_of().name, *columns, f"{self.audio}.bytes"])
        answers, classes = self.read_answers(table, path)
        names = table[self.row].to_pylist() if self.row else range(len(table))
        places = [f"row {name} of {path}" for name in names]
        sounds = zip(table[f"{self.audio}.bytes"].to_pylist(), answers, strict=True)
        readers = zip(places, (partial(self.read_row, *sound) for sound in sounds), strict=True)
        examples, left_out = read_examples(readers, most_left_out=self.most_left_out)
        kept = [row for row, place in enumerate(places) if place not in set(left_out)]
        of_rows = {column: table[column].to_pylist() for column in columns}
        if self.per_speaker:
            speakers = [of_rows[self.per_speaker][row] for row in kept]
            examples = examples._replace(inputs=standardize_speakers(examples.inputs, speakers))
        if self.group:
            examples = examples._replace(groups=[str(of_rows[self.group][row]) for row in kept])
        return examples, left_out, classes

    def read_row(self, data: bytes | None, raw_answer: Any) -> tuple[NDArray[np.float32], Any]:
        """The features (T, F) of a row's sound, and its answer.

        Raises:
            ValueError: where the sound cannot be read, or it has no answer.
        """
        if data is None:
            raise ValueError("it has no sound")
        features = self.frontend.features(samples_of(data, self.frontend.sampling_rate))
        return features, self.answer(raw_answer, len(features))

    def inputs(self) -> dict[str, Any]:
        if self.per_speaker is not None:  # a file does not say whose mean and deviation its features need
            return {"name": "arrays"}
        return {"name": "sound", **vars(self.frontend)}


@dataclass(kw_only=True, eq=False)
class FramewiseSpeech(Speech):
    """Speech with a label for every frame: that of the segment in which the frame's centre lies.

    ``segments`` is a column of lists of {``label``, start, end}, in seconds, one after the other; a frame behind the last has
    the last one's label.
    """

    segments: str = "phonemes"
    label: str = "phoneme"

    def answer_of(self) -> Column:
        return Column("segments", self.segments)

    def read_answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        return table[self.segments].to_pylist(), []

    def answer(self, raw: Any, frames: int) -> list[str]:
        return frame_labels(raw or [], self.label, self.frontend.centres(frames))

    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], fields: CardFields) -> None:
        write_frames(processed, splits, fields)

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("frames", self.read(path)[0])


@dataclass(kw_only=True, eq=False)
class TranscribedSpeech(Speech):
    """Speech with a transcript: the ``text`` in characters or words (``unit``), or with ``label`` that of each segment in
    it."""

    item_settings: ClassVar[tuple[str, ...]] = ("spectra", "unit")

    text: str
    unit: str = "character"
    label: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in TRANSCRIPT_UNITS:
            raise ValueError(f"unit must be one of {TRANSCRIPT_UNITS}, not {self.unit!r}")

    def answer_of(self) -> Column:
        return Column("text", self.text, "text" if self.label is None else "anything")

    def read_answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        return table[self.text].to_pylist(), []

    def answer(self, raw: Any, frames: int) -> Sequence[str]:
        if not raw:
            raise ValueError("it has no transcript")
        if self.label is not None:
            return [segment[self.label] for segment in raw]
        return raw if self.unit == "character" else raw.split()

    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], fields: CardFields) -> None:
        write_transcripts(processed, splits, fields)

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("transcripts", self.read(path)[0])


@dataclass(kw_only=True, eq=False)
class SpokenClasses(Speech):
    """Speech with a class: the column ``label`` of class labels or names, or of numbers."""

    label: str

    def answer_of(self) -> Column:
        return Column("label", self.label, "class")

    def read_answers(self, table: Any, path: Path) -> tuple[list[Any], list[str]]:
        return self.class_names(table, path)

    def answer(self, raw: Any, frames: int) -> str:
        return require_class(raw)

    def write(self, processed: Path, splits: dict[str, Examples], classes: Sequence[str], fields: CardFields) -> None:
        write_classes(processed, splits, classes, fields)

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("classes", lambda tokenizer: self.read(path)[0])


def frame_labels(segments: Sequence[Mapping[str, Any]], label: str, centres: NDArray[np.float64]) -> list[str]:
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
    indices = np.searchsorted(starts, centres, side="right") - 1
    return [segments[max(index, 0)][label] for index in indices.tolist()]


def standardize_speakers(inputs: Sequence[NDArray[np.float32]], speakers: Sequence[str]) -> list[NDArray[np.float32]]:
    """The features of each speaker standardized to mean 0 and deviation 1 over all of the speaker's rows."""
    numbers = {}
    for speaker in set(speakers):
        frames = np.concatenate([some for some, name in zip(inputs, speakers, strict=True) if name == speaker])
        numbers[speaker] = frames.mean(0), np.maximum(frames.std(0), 1e-6)
    standardized = [(some - numbers[speaker][0]) / numbers[speaker][1] for some, speaker in zip(inputs, speakers, strict=True)]
    return [some.astype(np.float32) for some in standardized]
