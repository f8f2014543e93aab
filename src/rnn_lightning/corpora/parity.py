"""Parity: whether the ones so far are even or odd in number, at every step."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .corpus import SPLITS, RawSplit
from .generated import GeneratedText, check_steps
from .sentences import Sentence
from .tagged import Reading, write_tagging
from .text import read_lines

WORDS, TAGS = ("zero", "one"), ("even", "odd")


class Parity(GeneratedText):
    """A pairs corpus of words "zero" and "one", drawn evenly, with a tag a word: "even" or "odd", by the ones up to it.

    Rows have ``shortest`` to ``longest`` words, each length as likely; the test may have other lengths (``test_shortest``,
    ``test_longest``), to see whether a rule was learned or the lengths. Who toggles a state at every "one" is always right. A
    state that is only kept or forgotten, by gates of 0 to 1 that see the input alone, cannot do that (Grazzi et al. 2024,
    arXiv:2411.12537).
    """

    def __init__(
        self,
        *,
        rows: Mapping[str, int],
        seed: int,
        shortest: int = 1,
        longest: int = 40,
        test_shortest: int | None = None,
        test_longest: int | None = None,
    ) -> None:
        super().__init__(rows=rows, seed=seed)
        least = shortest if test_shortest is None else test_shortest
        most = longest if test_longest is None else test_longest
        check_steps({"shortest": (shortest, 1), "test_shortest": (least, 1)})
        check_steps({"longest": (longest, shortest), "test_longest": (most, least)})
        self.learned, self.tested = (shortest, longest), (least, most)

    def parameters(self) -> dict[str, Any]:
        return {"steps": list(self.learned), "test_steps": list(self.tested)}

    def lines(self, split: str, generator: np.random.Generator) -> Iterable[str]:
        shortest, longest = self.tested if split == "test" else self.learned
        for _ in range(self.rows[split]):
            bits = generator.integers(0, 2, generator.integers(shortest, longest + 1))
            yield " ".join(WORDS[bit] for bit in bits)

    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        write_tagging(
            processed,
            {split: [tagged(line) for line in read_lines(raw / f"{split}.txt")] for split in SPLITS},
            title=f"Parity of {self.learned[0]} to {self.learned[1]} bits, tested on {self.tested[0]} to {self.tested[1]}",
            source=source,
            reading=Reading(),
            references={"guessing_accuracy": 0.5},
        )

    def raw_split(self, raw: Path) -> RawSplit:
        return RawSplit("tagged", [tagged(line) for line in read_lines(raw / "test.txt")], Reading())


def tagged(line: str) -> Sentence:
    """The words of a line with their tags."""
    words, ones, tags = line.split(" "), 0, []
    for word in words:
        ones += WORDS.index(word)
        tags.append(TAGS[ones % 2])
    return Sentence(tuple(words), tuple(tags), [line] * len(words))
