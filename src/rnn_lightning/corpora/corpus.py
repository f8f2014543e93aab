"""The contract of a corpus: fetch to a folder of raw files, preprocess to a folder of arrays.

Files of a processed folder: ``card.json`` (what the data is and how it was checked), ``tokenizer.json`` where there is text,
and for each split of ``train``, ``validation`` and ``test`` one ``SPLIT.npz``: a `Stream`, `Pairs` or `TimeSeries`, with
``SPLIT.pieces``, by which a part of it is checked. Where text becomes text, ``tokenizer.json`` is that of the source,
``target_tokenizer.json`` that of the target, and ``SPLIT.source.txt`` and ``SPLIT.target.txt`` hold the text itself, a line for
each row of the arrays. Where words have tags, ``lexicon.json`` has the words, characters and tags by number, ``SPLIT.txt`` the
sentences as they were read (a word and its tag a line, a blank line after each sentence), and ``vectors.npz`` the pretrained
vectors of the words, if there are any.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..files import read_json
from ..sliced import BLOCK, Values, blocks
from ..workers import ALONE, Workers

SPLITS = ("train", "validation", "test")


class CorpusError(ValueError):
    """A corpus that is unavailable or invalid; the message is one line that names the value and the way out."""


class Stream(NamedTuple):
    """A split of running text: tokens, to be predicted one by one.

    ``tokens`` (N,) int32; ``documents`` (D + 1,) int64: document d is ``tokens[documents[d]:documents[d + 1]]``;
    ``scored`` (N,) bool: whether the token counts as a target.
    """

    tokens: Values
    documents: NDArray[np.int64]
    scored: Values

    @property
    def inputs(self) -> Values:
        """The tokens (N,), under the name that they have in `Pairs`."""
        return self.tokens

    def sizes(self) -> dict[str, int]:
        """The number of documents, of tokens, and of tokens that are targets."""
        scored = sum(int(block.sum()) for block in blocks(self.scored))
        return {"documents": len(self.documents) - 1, "tokens": len(self.tokens), "scored_tokens": scored}

    def units(self, line_end: int | None) -> tuple[str, NDArray[np.int64]]:
        """What the text divides into, and the offsets (D + 1,) of each: documents, or the lines of a single document."""
        if line_end is None or len(self.documents) != 2:
            return "document", self.documents
        ends = [np.flatnonzero(block == line_end) + 1 + BLOCK * place for place, block in enumerate(blocks(self.tokens))]
        offsets = np.concatenate([np.zeros(1, np.int64), *ends])
        rest = [len(self.tokens)] if offsets[-1] < len(self.tokens) else []  # a last line without an end is one too
        return "line", np.append(offsets, np.array(rest, np.int64))

    @property
    def target_sequences(self) -> None:
        """The targets that are sequences of their own: none, the targets are the tokens themselves."""


class Pairs(NamedTuple):
    """A split of input sequences with their targets.

    ``inputs`` holds all rows one after the other, (N,) int32 tokens or (N, F) float32 features; row r is
    ``inputs[input_offsets[r]:input_offsets[r + 1]]``. ``targets`` is (R,), one a row, or (M,) with ``target_offsets``
    (R + 1,) like those of the inputs. Where tokens are words that are also spelled, ``characters`` (K,) holds their characters
    one after the other; token n has ``characters[character_offsets[n]:character_offsets[n + 1]]``. The file lacks the keys of
    what is ``None``.
    """

    inputs: Values
    input_offsets: NDArray[np.int64]
    targets: Values
    target_offsets: NDArray[np.int64] | None = None
    characters: Values | None = None
    character_offsets: Values | None = None

    def sizes(self) -> dict[str, int]:
        """The number of rows, of steps of all inputs, and of targets."""
        return {"rows": len(self.input_offsets) - 1, "steps": len(self.inputs), "targets": len(self.targets)}

    def units(self, line_end: int | None) -> tuple[str, NDArray[np.int64]]:
        """What the inputs divide into, and the offsets (R + 1,) of each: rows."""
        return "row", self.input_offsets

    @property
    def target_sequences(self) -> tuple[Values, NDArray[np.int64]] | None:
        """The targets that are sequences of their own, and their offsets (R + 1,); ``None`` where a row has one target."""
        return None if self.target_offsets is None else (self.targets, self.target_offsets)


class TimeSeries(NamedTuple):
    """A split of a series in time, of which windows are made when they are read.

    ``inputs`` (N, F) float32 are first K targets, which are forecast, then P other measurements, then G numbers that are known
    in advance. ``window`` (5,) int64 is the context and the horizon of a window, in steps, the first step that may be forecast,
    K and G. The steps before the first are of the split before, and context alone.
    """

    inputs: NDArray[np.float32]
    window: NDArray[np.int64]

    def sizes(self) -> dict[str, int]:
        """The number of steps that are forecast, of those before them, and of windows."""
        context, horizon, first = self.window[:3].tolist()
        windows = len(self.inputs) - horizon - max(first, context) + 1
        return {"steps": len(self.inputs) - first, "steps_before": first, "windows": windows}

    def units(self, line_end: int | None) -> tuple[str, NDArray[np.int64]]:
        """What the inputs divide into, and the offsets (2,): one series."""
        return "series", np.array([0, len(self.inputs)])

    @property
    def target_sequences(self) -> None:
        """The targets that are sequences of their own: none, the targets are among the inputs."""


Split: TypeAlias = Stream | Pairs | TimeSeries


def to_arrays(split: Split) -> dict[str, Values]:
    """The arrays of a split by their names in its file, without those that are ``None``."""
    return {name: array for name, array in split._asdict().items() if array is not None}


class Signal(NamedTuple):
    """The features of one input: ``features`` (T, F) and, where steps have a time, the ``seconds`` (T + 1,) at which each step
    begins and the last ends."""

    features: NDArray[np.float32]
    seconds: NDArray[np.float64] | None = None


class RawSplit(NamedTuple):
    """A split as it is read, before a vocabulary is chosen for it.

    ``kind`` is a key of ``elsewhere.ENCODINGS``, which says what ``rows`` are; ``reading`` are further settings of these.
    """

    kind: str
    rows: Any
    reading: Any = None


class Corpus(ABC):
    """A published or generated corpus; its constructor takes all settings that its bytes depend on."""

    item_settings: ClassVar[tuple[str, ...]] = ()
    """Settings of how an item becomes a row, whatever the data: a model takes its own to other data."""
    workers: Workers = ALONE
    """The processes that ``preprocess`` reads and encodes rows with; its bytes do not depend on them."""

    @abstractmethod
    def fetch(self, raw: Path) -> None:
        """Download or generate the raw files into the folder ``raw``, atomically.

        Raises:
            CorpusError: where they are unavailable, or other files than on record.
        """

    @abstractmethod
    def preprocess(self, raw: Path, processed: Path) -> None:
        """Make the files named above, in ``processed``, of those that ``fetch`` left in ``raw``, atomically.

        Raises:
            CorpusError: where ``raw`` is missing, damaged or empty.
        """

    def prepare(self, folder: str | Path) -> dict[str, Any]:
        """Fetch to ``folder/raw``, preprocess to ``folder/processed``, and return the card of that.

        Raises:
            CorpusError: as these do.
        """
        raw, processed = Path(folder) / "raw", Path(folder) / "processed"
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.fetch(raw)
        self.preprocess(raw, processed)
        return read_json(processed / "card.json")

    def inputs(self) -> dict[str, Any]:
        """How an item that is not of this corpus becomes a row as it has, in plain values that a predictor reads.

        ``name`` is ``text`` (with the ``tokenizer``'s file), ``tokens``, ``sound``, ``strokes`` or ``picture``, each with its
        settings; ``arrays``, where only the features of a row can be given, with ``features``, their names or how they are
        computed, where these are known.
        """
        return {"name": "arrays"}

    def test_split(self, raw: Path) -> RawSplit:
        """The test split that ``fetch`` left in ``raw``, which may have no other.

        Raises:
            CorpusError: where ``raw`` is missing or damaged, or no test split can be read without the others.
        """
        raise CorpusError(f"{type(self).__name__} has no test split that a model of another corpus can be measured on")


def check_corpus(kind: type) -> None:
    """Refuse a class that is no corpus.

    Raises:
        ValueError: naming it.
    """
    if not issubclass(kind, Corpus):
        raise ValueError(
            f"{kind.__module__}.{kind.__qualname__} is no corpus: name a class that derives from rnn_lightning.corpora.Corpus"
        )
