"""What a corpus is: something that can be fetched to a folder and preprocessed into another.

Files of a processed folder: ``card.json`` (what the data is and how it was checked), ``tokenizer.json`` where there is text,
and for each split of ``train``, ``validation`` and ``test`` one ``SPLIT.npz``: a `Stream` or `Pairs`. Where text becomes
text, ``tokenizer.json`` is that of the source, ``target_tokenizer.json`` that of the target, and ``SPLIT.source.txt`` and
``SPLIT.target.txt`` hold the text itself, a line for each row of the arrays. Where words have tags, ``lexicon.json`` has the
words, characters and tags by number, ``SPLIT.txt`` the sentences as they were read (a word and its tag a line, a blank line
after each sentence), and ``vectors.npz`` the pretrained vectors of the words, if there are any.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")


class CorpusError(ValueError):
    """A corpus that cannot be had or cannot be trusted; the message is one line that names the value and the way out."""


class Stream(NamedTuple):
    """Running tokens, to be predicted one by one.

    ``tokens`` (N,) int32; ``documents`` (D + 1,) int64: document d is ``tokens[documents[d]:documents[d + 1]]``;
    ``scored`` (N,) bool: whether the token counts as a target.
    """

    tokens: NDArray[np.int32]
    documents: NDArray[np.int64]
    scored: NDArray[np.bool_]


class Pairs(NamedTuple):
    """Sequences, each with its target.

    ``inputs`` holds all rows one after the other, (N,) int32 tokens or (N, F) float32 features; row r is
    ``inputs[input_offsets[r]:input_offsets[r + 1]]``. ``targets`` is (R,), one a row, or (M,) with ``target_offsets``
    (R + 1,) like those of the inputs. Where tokens are words that are also spelled, ``characters`` (K,) holds their characters
    one after the other; token n has ``characters[character_offsets[n]:character_offsets[n + 1]]``. The file lacks the keys of
    what is ``None``.
    """

    inputs: NDArray[np.int32] | NDArray[np.float32]
    input_offsets: NDArray[np.int64]
    targets: NDArray[np.int32] | NDArray[np.float32]
    target_offsets: NDArray[np.int64] | None = None
    characters: NDArray[np.int32] | None = None
    character_offsets: NDArray[np.int64] | None = None


def to_arrays(split: Stream | Pairs) -> dict[str, NDArray[Any]]:
    """The arrays of a split that are there, by their names in its file."""
    return {name: array for name, array in split._asdict().items() if array is not None}


class Signal(NamedTuple):
    """``features`` (T, F) and, where these go by the clock, the ``seconds`` (T + 1,) at which each step begins and the last
    ends."""

    features: NDArray[np.float32]
    seconds: NDArray[np.float64] | None = None


class Corpus(ABC):
    """A published or generated corpus; its constructor takes everything that decides its bytes."""

    @abstractmethod
    def fetch(self, raw: Path) -> None:
        """Bring the corpus to the folder ``raw``: all of it or nothing.

        Raises:
            CorpusError: where it cannot be had, or is not the one that was asked for.
        """

    @abstractmethod
    def preprocess(self, raw: Path, processed: Path) -> None:
        """Turn what ``fetch`` left in ``raw`` into the files named above, in ``processed``: all of them or none.

        Raises:
            CorpusError: where ``raw`` is missing, damaged or empty.
        """

    def inputs(self) -> dict[str, Any]:
        """How an item that is not of this corpus becomes a row as it has, in plain values that a predictor reads.

        ``name`` is ``text`` (with the ``tokenizer``'s file), ``tokens``, ``sound``, ``strokes`` or ``picture``, each with its
        settings; ``arrays``, where only the features of a row can be given.
        """
        return {"name": "arrays"}
