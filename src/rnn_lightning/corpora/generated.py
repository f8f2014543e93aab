"""Generated corpora: no download, and the same bytes from the same seed.

Each split has its own random stream, so that the size of one changes nothing in another.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files import sha256, whole_folder, write_json
from .card import CardFields, write_processed
from .corpus import SPLITS, Corpus, RawSplit, Split, Stream
from .files import SOURCE, verified_source

MOST_ROWS = 100_000_000
"""Of a split: more is a mistake, and would take days to draw."""
MOST_STEPS = 1_000_000
"""Of a row."""


def random_stream(seed: int, split: str) -> np.random.Generator:
    """The random generator of one split."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, SPLITS.index(split)])))


def check_rows(rows: Mapping[str, int]) -> dict[str, int]:
    """``rows`` as a plain dict in the order of the splits.

    Raises:
        ValueError: where a split has no rows or too many, or is none of the three.
    """
    if set(rows) != set(SPLITS):
        raise ValueError(f"rows must give a positive number for each of {list(SPLITS)}, not {dict(rows)}")
    for split, count in rows.items():
        if not 1 <= count <= MOST_ROWS:
            raise ValueError(f"rows.{split} must be a whole number of 1 to {MOST_ROWS}, not {count}")
    return {split: int(rows[split]) for split in SPLITS}


def check_steps(numbers: Mapping[str, tuple[int, int]]) -> None:
    """Refuse a number below its least value, or above `MOST_STEPS`: each is (number, least).

    Raises:
        ValueError: naming it.
    """
    for name, (number, least) in numbers.items():
        if not least <= number <= MOST_STEPS:
            raise ValueError(f"{name} must be a whole number of {least} to {MOST_STEPS}, not {number}")


def check_chances(**chances: float) -> None:
    """Check that each probability lies in [0, 1)."""
    for name, value in chances.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be a probability below 1, not {value}")


class Generated(Corpus):
    """A corpus drawn from a seed; subclasses have its parameters, its raw files and their preprocessing."""

    def __init__(self, *, rows: Mapping[str, int], seed: int) -> None:
        self.rows = check_rows(rows)
        self.seed = seed

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """The parameters that the bytes depend on, besides ``rows`` and ``seed``."""

    @abstractmethod
    def fetch_into(self, folder: Path) -> None:
        """Write the raw files, all but ``source.json``."""

    @abstractmethod
    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        """Preprocess the files in ``raw``, which are verified; ``source`` is the content of ``source.json``."""

    def spec(self) -> dict[str, Any]:
        """The specification: all that the bytes depend on, which ``fetch`` writes into ``source.json``."""
        return {"generator": type(self).__name__, **self.parameters(), "rows": self.rows, "seed": self.seed}

    def fetch(self, raw: Path) -> None:
        with whole_folder(raw, sums=True) as folder:
            self.fetch_into(folder)
            files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
            write_json(folder / SOURCE, {**self.spec(), "licence": "CC0-1.0", "files": files})

    def preprocess(self, raw: Path, processed: Path) -> None:
        self.make(raw, processed, verified_source(raw, self.spec()))

    def test_split(self, raw: Path) -> RawSplit:
        verified_source(raw, self.spec())
        return self.raw_split(raw)

    def raw_split(self, raw: Path) -> RawSplit:
        """The test split of the files in ``raw``, which are verified."""
        return super().test_split(raw)


class GeneratedArrays(Generated):
    """A generated corpus of arrays, drawn when it is preprocessed; ``fetch`` writes the specification alone."""

    @abstractmethod
    def draw(self, rows: int, generator: np.random.Generator) -> Split:
        """``rows`` rows of the corpus."""

    @abstractmethod
    def card_fields(self, source: Mapping[str, Any]) -> CardFields:
        """The fields of the card that are not measured; ``source`` is the content of ``source.json``."""

    def fetch_into(self, folder: Path) -> None:
        pass

    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        splits = {split: self.draw(rows, random_stream(self.seed, split)) for split, rows in self.rows.items()}
        write_processed(processed, splits, self.card_fields(source))

    def raw_split(self, raw: Path) -> RawSplit:
        drawn = self.draw(self.rows["test"], random_stream(self.seed, "test"))
        return RawSplit("tokens" if isinstance(drawn, Stream) else "values", drawn)


class GeneratedText(Generated):
    """A generated corpus of lines, drawn when it is fetched: ``SPLIT.txt`` for each split."""

    @abstractmethod
    def lines(self, split: str, generator: np.random.Generator) -> Iterable[str]:
        """The lines of a split, one a row."""

    def fetch_into(self, folder: Path) -> None:
        for split in self.rows:
            lines = self.lines(split, random_stream(self.seed, split))
            (folder / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def inputs(self) -> dict[str, Any]:
        return {"name": "text", "tokenizer": "tokenizer.json"}
