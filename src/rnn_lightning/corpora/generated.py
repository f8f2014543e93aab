"""Corpora that are computed: no network, and the same bytes from the same seed.

``fetch`` writes down the parameters, ``preprocess`` draws from them; each split has its own random stream, so that the
size of one changes nothing in another.
"""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnn_lightning.corpora.card import Facts, write_processed
from rnn_lightning.corpora.corpus import SPLITS, Corpus, CorpusError, Pairs, Stream
from rnn_lightning.corpora.files import SOURCE, verified_source, whole_folder, write_json


def random_stream(seed: int, split: str) -> np.random.Generator:
    """The random numbers of one split."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, SPLITS.index(split)])))


def check_rows(rows: Mapping[str, int]) -> dict[str, int]:
    """``rows`` as a plain dict in the order of the splits.

    Raises:
        ValueError: where a split has no rows, or is none of the three.
    """
    if set(rows) != set(SPLITS) or min(rows.values()) < 1:
        raise ValueError(f"rows must give a positive number for each of {list(SPLITS)}, not {dict(rows)}")
    return {split: int(rows[split]) for split in SPLITS}


class Generated(Corpus):
    """A corpus of arrays drawn from a seed; a subclass says what its parameters are and how to draw rows."""

    def __init__(self, *, rows: Mapping[str, int], seed: int) -> None:
        self.rows = check_rows(rows)
        self.seed = seed

    @abstractmethod
    def parameters(self) -> dict[str, int]:
        """What decides the bytes, besides ``rows`` and ``seed``."""

    @abstractmethod
    def draw(self, rows: int, generator: np.random.Generator) -> Stream | Pairs:
        """``rows`` rows of the corpus."""

    @abstractmethod
    def facts(self, source: Mapping[str, Any]) -> Facts:
        """What the card says besides the measurements; ``source`` is what ``fetch`` noted."""

    def specification(self) -> dict[str, Any]:
        """Everything that decides the bytes."""
        return {"generator": type(self).__name__, **self.parameters(), "rows": self.rows, "seed": self.seed}

    def fetch(self, raw: Path) -> None:
        with whole_folder(raw) as folder:
            write_json(folder / SOURCE, {**self.specification(), "licence": "CC0-1.0", "files": {}})

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = verified_source(raw)
        check_specification(source, self.specification(), raw)
        splits = {split: self.draw(rows, random_stream(self.seed, split)) for split, rows in self.rows.items()}
        write_processed(processed, splits, self.facts(source))


def check_specification(source: Mapping[str, Any], expected: Mapping[str, Any], raw: Path) -> None:
    """Refuse a folder that was fetched with other parameters.

    Raises:
        CorpusError: naming the first that differs.
    """
    for name, value in expected.items():
        if source.get(name) != value:
            raise CorpusError(f"{raw / SOURCE} has {name} {source.get(name)!r}, not {value!r}; fetch the corpus again")
