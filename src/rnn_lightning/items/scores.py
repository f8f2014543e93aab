"""Log-probabilities of given texts as answers, and texts to be scored beside what they belong to."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from .base import Answer
from .inputs import NOTHING, Encoded, Inputs


def score_of(total: float, count: int) -> Answer:
    """The answer for ``count`` tokens whose log-probabilities sum to ``total``."""
    perplexity = math.exp(min(-total / count, 700)) if count else None
    return {"log_probability": total, "tokens": count, "perplexity": perplexity}


NO_SCORE: Answer = {"log_probability": 0.0, "tokens": 0, "perplexity": None}
"""The answer to an item that has nothing to score."""


def score_line(answer: Answer) -> str:
    """A score as log-probability, tab, perplexity; nothing where nothing was scored."""
    return "" if answer["perplexity"] is None else f"{answer['log_probability']:.4f}\t{answer['perplexity']:.4f}"


class PairedInputs(Inputs):
    """A source and a target text to score: a pair, or a string of both with a tab between; `Encoded.source` are the tokens of
    the target."""

    def __init__(self, sources: Inputs, encode: Callable[[str], Sequence[int]]) -> None:
        self.sources, self.tokens_of = sources, encode
        self.packages, self.tokenizer, self.takes_files = sources.packages, sources.tokenizer, sources.takes_files

    def from_request(self, item: str) -> Any:
        source, tab, target = item.rpartition("\t")
        return (self.sources.from_request(source), target) if tab else item

    def encode(self, item: Any) -> Encoded:
        """The source as a network reads it, with the tokens of the target.

        Raises:
            ValueError: where it is no pair.
        """
        if isinstance(item, str) and not item.strip():
            return NOTHING
        source, target = (item.rpartition("\t")[::2] if "\t" in item else (None, None)) if isinstance(item, str) else item
        if not isinstance(target, str):
            raise ValueError("what is to be scored is a source, a tab and a target, SOURCE<tab>TARGET")
        return self.sources.encode(source)._replace(source=list(self.tokens_of(target)))
