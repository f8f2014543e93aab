"""Nested agreement: a small context-free language in which each noun agrees with a verb behind nested clauses.

Centre embedding is what finite memory finds hard (Chomsky & Miller 1963; Elman, "Distributed Representations, Simple
Recurrent Networks, and Grammatical Structure", Machine Learning 7, 1991; Linzen, Dupoux & Goldberg, TACL 2016).
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .corpus import SPLITS, RawSplit
from .generated import GeneratedText, check_chances
from .text import read_lines, write_text_corpus

AGREEING = {
    **{"dog": "barks", "cat": "purrs", "bird": "sings", "horse": "gallops", "fish": "swims", "wolf": "howls"},
    **{"bee": "buzzes", "lion": "roars", "owl": "hoots", "frog": "croaks", "snake": "hisses", "duck": "quacks"},
    **{"mouse": "squeaks", "crow": "caws", "sheep": "bleats", "cow": "moos"},
}
"""Each noun with the only verb that agrees with it."""
NOUNS, VERBS = tuple(AGREEING), tuple(AGREEING.values())


class Nested(GeneratedText):
    """A stream corpus of sentences from a probabilistic grammar, whose entropy is known exactly.

    ::

        sentence   -> phrases(0) <eos>
        phrases(d) -> phrase(d)                     with probability 1 - follow
                    | phrase(d) phrases(d)          with probability follow
        phrase(d)  -> noun_k verb_k                 with probability 1 - nest (1 at d = max_depth)
                    | noun_k phrases(d + 1) verb_k  with probability nest

    with k uniform over ``classes``. "dog cat bird sings purrs barks" is a sentence. Each token settles what the grammar
    chose, so no sentence has two derivations. The next verb is that of the last noun still waiting: to know it takes a
    stack as deep as the nesting, and each forgotten noun costs up to ln ``classes`` nats.
    """

    def __init__(
        self,
        *,
        rows: Mapping[str, int],
        seed: int,
        classes: int = 12,
        max_depth: int = 10,
        nest: float = 0.65,
        follow: float = 0.2,
    ) -> None:
        super().__init__(rows=rows, seed=seed)
        if not 1 <= classes <= len(AGREEING):
            raise ValueError(f"classes must lie in 1..{len(AGREEING)}, not {classes}")
        if max_depth < 0:
            raise ValueError(f"max_depth must be 0 or more, not {max_depth}")
        check_chances(nest=nest, follow=follow)
        self.classes = classes
        self.max_depth = max_depth
        self.nest = nest
        self.follow = follow

    def sentence(self, generator: np.random.Generator) -> list[str]:
        """The words of one sentence, without the end mark."""
        words: list[str] = []
        waiting: list[int] = []
        while True:
            waiting.append(int(generator.integers(self.classes)))
            words.append(NOUNS[waiting[-1]])
            if len(waiting) <= self.max_depth and generator.random() < self.nest:
                continue
            while waiting:
                words.append(VERBS[waiting.pop()])
                if generator.random() < self.follow:
                    break
            else:
                return words

    def phrases_and_entropy(self, depth: int = 0) -> tuple[float, float]:
        """The expected number of nouns in phrases(``depth``), and its entropy in nats.

        A list of phrases has 1 / (1 - follow) of them on average; each brings the choice of its noun, of nesting, and of
        following, and with probability ``nest`` the phrases in it.
        """
        nouns, entropy = 1.0, math.log(self.classes) + _coin_entropy(self.follow)
        if depth < self.max_depth:
            inner_nouns, inner_entropy = self.phrases_and_entropy(depth + 1)
            nouns += self.nest * inner_nouns
            entropy += _coin_entropy(self.nest) + self.nest * inner_entropy
        return nouns / (1 - self.follow), entropy / (1 - self.follow)

    def entropy_rate(self) -> float:
        """The entropy rate in nats per token, end marks included: the loss of a perfect model."""
        nouns, entropy = self.phrases_and_entropy()
        return entropy / (2 * nouns + 1)

    def parameters(self) -> dict[str, Any]:
        return {"classes": self.classes, "max_depth": self.max_depth, "nest": self.nest, "follow": self.follow}

    def lines(self, split: str, generator: np.random.Generator) -> Iterable[str]:
        return (" ".join(self.sentence(generator)) for _ in range(self.rows[split]))

    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        rate = self.entropy_rate()
        write_text_corpus(
            processed,
            {split: read_lines(raw / f"{split}.txt") for split in SPLITS},
            title=f"Nested agreement, {self.classes} classes to depth {self.max_depth}",
            source=source,
            level="word",
            end_of_line=True,
            references={"entropy_rate_nats": rate, "perplexity_floor": math.exp(rate)},
        )

    def raw_split(self, raw: Path) -> RawSplit:
        return RawSplit("text", read_lines(raw / "test.txt"))


def _coin_entropy(probability: float) -> float:
    """The entropy in nats of a Bernoulli variable."""
    return -sum(p * math.log(p) for p in (probability, 1 - probability) if p > 0)
