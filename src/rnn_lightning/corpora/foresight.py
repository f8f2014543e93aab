"""Agreement with a later noun: a small language whose tags depend on words to the right.

Participles before their noun take their objects with them, as in German: "der die Frau liebende Mann".
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .corpus import SPLITS, RawSplit
from .generated import GeneratedText, check_chances
from .sentences import Sentence
from .tagged import Reading, write_tagging
from .text import read_lines

NOUNS = {
    "animal": ("dog", "cat", "bird", "horse", "wolf", "owl"),
    "plant": ("rose", "fern", "oak", "moss", "lily", "reed"),
    "thing": ("stone", "chair", "bell", "coin", "lamp", "wheel"),
    "place": ("town", "bridge", "lake", "field", "tower", "cave"),
}
"""The classes that a noun's determiner, adjectives and participles agree with, and their nouns."""
ADJECTIVES = ("old", "small", "red", "quiet", "strange", "fine", "dark", "wet")
PARTICIPLES = ("seeing", "hiding", "holding", "touching", "guarding", "facing")
VERBS = ("sees", "hides", "holds", "touches", "guards", "faces")


class Foresight(GeneratedText):
    """A pairs corpus of sentences with a tag a word, from a probabilistic grammar.

    ::

        sentence    -> phrase(0) verb phrase(0)
        phrase(d)   -> "the" modifiers(d) noun_k
        modifiers   -> nothing                          with probability 1 - modify
                     | modifier(d) modifiers            with probability modify
        modifier(d) -> adjective                        with probability 1 - nest (1 at d = max_depth)
                     | phrase(d + 1) participle         with probability nest

    with k uniform over ``classes``. "the the cat seeing old dog holds the bell" is a sentence. The tag of a determiner,
    adjective or participle is its part of speech with the class of the noun that ends its phrase: ``DET-animal`` and so on.
    What comes before a noun tells nothing of its class, so whoever reads from left to right can only guess.
    """

    def __init__(
        self,
        *,
        rows: Mapping[str, int],
        seed: int,
        classes: int = 3,
        max_depth: int = 2,
        modify: float = 0.6,
        nest: float = 0.3,
        vectors: str | Path | None = None,
    ) -> None:
        """``vectors`` are those of `Reading`; the sentences do not depend on them."""
        super().__init__(rows=rows, seed=seed)
        if not 2 <= classes <= len(NOUNS):
            raise ValueError(f"classes must lie in 2..{len(NOUNS)}, not {classes}")
        if max_depth < 0:
            raise ValueError(f"max_depth must be 0 or more, not {max_depth}")
        check_chances(modify=modify, nest=nest)
        self.classes, self.max_depth, self.modify, self.nest = classes, max_depth, modify, nest
        self.reading = Reading(vectors=vectors)

    def sentence(self, generator: np.random.Generator) -> list[tuple[str, str]]:
        """The words of one sentence with their tags."""
        verb = (VERBS[int(generator.integers(len(VERBS)))], "VERB")
        return [*self.phrase(generator, 0), verb, *self.phrase(generator, 0)]

    def phrase(self, generator: np.random.Generator, depth: int) -> list[tuple[str, str]]:
        """The words of phrase(``depth``) with their tags."""
        kind = list(NOUNS)[int(generator.integers(self.classes))]
        words = [("the", f"DET-{kind}")]
        while generator.random() < self.modify:
            if depth < self.max_depth and generator.random() < self.nest:
                words += self.phrase(generator, depth + 1)
                words.append((PARTICIPLES[int(generator.integers(len(PARTICIPLES)))], f"PART-{kind}"))
            else:
                words.append((ADJECTIVES[int(generator.integers(len(ADJECTIVES)))], f"ADJ-{kind}"))
        return [*words, (NOUNS[kind][int(generator.integers(len(NOUNS[kind])))], f"NOUN-{kind}")]

    def expected_words(self, depth: int = 0) -> tuple[float, float]:
        """The expected number of words of phrase(``depth``), and of those that agree with a noun to come.

        A phrase has modify / (1 - modify) modifiers on average, each one word of its own and with probability ``nest`` the
        words of a phrase in it.
        """
        modifiers = self.modify / (1 - self.modify)
        words, agreeing = 2 + modifiers, 1 + modifiers
        if depth < self.max_depth:
            inner_words, inner_agreeing = self.expected_words(depth + 1)
            words += modifiers * self.nest * inner_words
            agreeing += modifiers * self.nest * inner_agreeing
        return words, agreeing

    def left_to_right_accuracy(self) -> float:
        """The accuracy of a perfect tagger that reads from left to right, and no word beyond the one that it tags.

        Parts of speech, nouns and verbs show at once; of every class to come it guesses one of ``classes``, all as likely.
        """
        words, agreeing = self.expected_words()
        return 1 - 2 * agreeing * (1 - 1 / self.classes) / (2 * words + 1)

    def parameters(self) -> dict[str, Any]:
        return {"classes": self.classes, "max_depth": self.max_depth, "modify": self.modify, "nest": self.nest}

    def lines(self, split: str, generator: np.random.Generator) -> Iterable[str]:
        sentences = (self.sentence(generator) for _ in range(self.rows[split]))
        return (" ".join(f"{word}/{tag}" for word, tag in words) for words in sentences)

    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        write_tagging(
            processed,
            {split: [parse_line(line) for line in read_lines(raw / f"{split}.txt")] for split in SPLITS},
            title=f"Agreement with a noun to come, {self.classes} classes to depth {self.max_depth}",
            source=source,
            reading=self.reading,
            references={"left_to_right_accuracy": self.left_to_right_accuracy()},
        )

    def raw_split(self, raw: Path) -> RawSplit:
        return RawSplit("tagged", [parse_line(line) for line in read_lines(raw / "test.txt")], self.reading)


def parse_line(line: str) -> Sentence:
    """The sentence in a line of ``word/tag``."""
    words, tags = zip(*(pair.split("/") for pair in line.split(" ")), strict=True)
    return Sentence(words, tags, [line] * len(words))
