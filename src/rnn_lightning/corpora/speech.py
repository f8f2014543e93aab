"""Speech corpora: with a label for every frame, a transcript, or a class.

Columns of framewise speech are those of gilkeyio/librispeech-alignments (McAuliffe et al. 2017).

Shapes: N samples, T frames, F features.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..audio import Spectra
from .card import CardFields
from .class_names import Classes, require_class
from .corpus import RawSplit
from .examples import feature_card, read_splits, write_classes, write_frames, write_transcripts
from .moments import standardize_speakers
from .parquet import FEW, Tables
from .reading import Examples, Raw, read_examples
from .reads import PLACE, Column, given
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

    def answer_classes(self, path: Path) -> Classes | None:
        """The classes of a Parquet file, if the answers are classes."""
        return None

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
        splits = read_splits(raw, partial(self.read, folder=processed.parent))
        more = {**feature_card(splits.examples["train"].inputs.values), **splits.card, "spectra": vars(self.frontend)}
        title = f"{self.origin.title}, {self.answer_of().name}"
        self.write(processed, splits.examples, splits.classes, CardFields(title, source, more=more))

    def read(self, path: Path, folder: Path | None = None) -> tuple[Examples, list[str], list[str]]:
        """The examples of a Parquet file, in files of ``folder``, the places of rows left out, and the class names.

        The ``others`` of an example are its group, if there are groups.
        """
        names, classes = [f"{self.audio}.bytes", self.answer_of().name], self.answer_classes(path)
        more = [column for column in (self.row, self.per_speaker, self.group) if column is not None]
        rows = self.rows_of(Tables(path, [*names, *more], rows=FEW), classes)
        most, place = self.most_left_out, {"folder": folder, "at_once": FEW}
        examples, left_out = read_examples(rows, self.read_row, most_left_out=most, workers=self.workers, **place)
        others = list(examples.others or [])
        if self.per_speaker:
            examples = examples._replace(
                inputs=standardize_speakers(examples.inputs, [speaker for speaker, _ in others], folder)
            )
        groups = [str(group) for _, group in others] if self.group else None
        return examples._replace(others=groups), left_out, [] if classes is None else classes.names

    def rows_of(self, tables: Tables, classes: Classes | None) -> Iterator[Raw]:
        """The rows: their sound and answer, and beside these the speaker and the group."""
        columns = [self.row, self.per_speaker, self.group]
        cells = tables.placed(f"{self.audio}.bytes", self.answer_of().name, *(column for column in columns if column))
        for place, (sound, answer, *some) in cells:
            name, speaker, group = (some.pop(0) if column else None for column in columns)
            named = self.row is not None and PLACE not in tables.schema.names
            yield Raw(
                f"row {name} of {tables.path}" if named else place,
                (sound, answer if classes is None else classes.name(answer)),
                (speaker, group),
            )

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
            return {"name": "arrays", "features": {"name": "sound", **vars(self.frontend), "per_speaker": True}}
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

    def answer_classes(self, path: Path) -> Classes:
        return self.classes_of(path)

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
