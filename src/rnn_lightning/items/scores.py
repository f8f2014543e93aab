"""Log-probabilities of given texts as answers, and texts to be scored beside what they belong to."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import shown
from ..symbols import UNKNOWN_TOKEN
from .base import Answer
from .inputs import NOTHING, Encoded, Inputs

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAIR = "what is to be scored is a source, a tab and a target, SOURCE<tab>TARGET"
UNKNOWN = "unknown"
"""The key of an answer with the parts of a text that is scored which the vocabulary lacks."""


def score_of(total: float, count: int) -> Answer:
    """The answer for ``count`` tokens whose log-probabilities sum to ``total``."""
    perplexity = math.exp(min(-total / count, 700)) if count else None
    return {"log_probability": total, "tokens": count, "perplexity": perplexity}


NO_SCORE: Answer = {"log_probability": 0.0, "tokens": 0, "perplexity": None, UNKNOWN: []}
"""The answer to an item that has nothing to score."""


def score_line(answer: Answer) -> str:
    """A score as log-probability, tab, perplexity; nothing where nothing was scored."""
    return "" if answer["perplexity"] is None else f"{answer['log_probability']:.4f}\t{answer['perplexity']:.4f}"


def unknown_in(tokenizer: "Tokenizer", text: str) -> list[str]:
    """The parts of a ``text`` that the vocabulary lacks, each once: `UNKNOWN_TOKEN` stands for them where it is scored."""
    unknown, encoded = tokenizer.token_to_id(UNKNOWN_TOKEN), tokenizer.encode(text, add_special_tokens=False)
    return list(
        dict.fromkeys(text[slice(*span)] for token, span in zip(encoded.ids, encoded.offsets, strict=True) if token == unknown)
    )


class Target(NamedTuple):
    """The ``tokens`` of a text to score, and the parts of it that are ``unknown``."""

    tokens: list[int]
    unknown: list[str]


class PairedInputs(Inputs):
    """A source and a target text to score: a pair, or a string of both with a tab between; `Encoded.source` is the `Target`."""

    def __init__(self, sources: Inputs, encode: Callable[[str], Target]) -> None:
        self.sources, self.target_of = sources, encode
        self.packages, self.tokenizer, self.takes_files = sources.packages, sources.tokenizer, sources.takes_files

    def from_request(self, item: str) -> Any:
        if is_blank(item):
            return item
        source, target = pair_of(item)
        return self.sources.from_request(source), target

    def encode(self, item: Any) -> Encoded:
        """The source as a network reads it, with the target.

        Raises:
            ValueError: where it is no pair, or has no source.
        """
        if isinstance(item, str) and is_blank(item):
            return NOTHING
        source, target = pair_of(item)
        encoded = self.sources.encode(source)
        if not len(encoded.steps):
            raise ValueError(f"the source is empty: {PAIR}")
        return encoded._replace(source=self.target_of(target))


def is_blank(line: str) -> bool:
    """Whether a line has neither a text nor a tab, and so nothing to score."""
    return "\t" not in line and not line.strip()


def pair_of(item: Any) -> tuple[Any, str]:
    """The source and the target of a pair, or of a string with a tab between them.

    Raises:
        ValueError: for another number of tabs, or what is no pair.
    """
    if isinstance(item, str):
        source, *targets = item.split("\t")
        if len(targets) != 1:
            raise ValueError(f"it has {len(targets) or 'no'} tabs, and {PAIR}")
        return source, targets[0]
    if not isinstance(item, tuple | list) or len(item) != 2 or not isinstance(item[1], str):
        raise ValueError(f"it is {shown(item)}, and {PAIR}, or a pair of them")
    return item[0], item[1]
