"""Prompts to tokens, and continuations and scores of text as answers."""

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..checks import check_counts, check_flags, check_temperature
from ..symbols import UNKNOWN_TOKEN
from .base import Answer, Answerer
from .inputs import NOTHING, Encoded, Inputs, TokenInputs
from .scores import NO_SCORE, UNKNOWN, score_line, unknown_in

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class PromptInputs(Inputs):
    """Text to tokens, between the marks that end the line before and the line itself, where the vocabulary has such a mark.

    Of a text to be scored `Encoded.source` are the parts that the vocabulary lacks.
    """

    packages = ("tokenizers",)

    def __init__(self, tokenizer: "Tokenizer", *, closed: bool) -> None:
        """With ``closed`` the mark behind the line is there too, which a prompt must not have."""
        self.tokenizer, self.tokens_of, self.closed = tokenizer, tokenizer.encode, closed
        self.number_of = tokenizer.token_to_id
        self.unknown_in = partial(unknown_in, tokenizer)
        self.mark: list[int] = tokenizer.encode("").ids  # of a text without lines: none

    def encode(self, item: str) -> Encoded:
        tokens = [*self.mark, *self._tokens(item), *(self.mark if self.closed else [])]
        return Encoded(np.array(tokens), self.unknown_in(item) if self.closed else None) if tokens else NOTHING

    def _tokens(self, item: str) -> list[int]:
        """The tokens of a text.

        Raises:
            ValueError: where the vocabulary lacks a part of it, and has no token that stands for such parts.
        """
        try:
            return self.tokens_of(item, add_special_tokens=False).ids
        except TypeError:
            raise
        except Exception as error:  # of the tokenizer's library, which has no kinds of its own
            lacking = [sign for sign in dict.fromkeys(item) if self.number_of(sign) is None]
            parts = ", ".join(map(repr, lacking)) or str(error)
            raise ValueError(f"the vocabulary lacks {parts}, and has no {UNKNOWN_TOKEN} for it: leave it out") from None


def prompt_inputs(tokenizer: "Tokenizer | None", vocab_size: int, *, score: bool) -> Inputs:
    """What encodes prompts, or lines to ``score``; numbers of tokens without a ``tokenizer``."""
    return TokenInputs(vocab_size) if tokenizer is None else PromptInputs(tokenizer, closed=score)


class LanguageAnswers(Answerer):
    """A continuation of each prompt, ``{"text": ...}``, or the score of each line, ``{"log_probability": ..., "tokens": ...,
    "perplexity": ..., "unknown": []}``, where ``unknown`` are the parts of it that the vocabulary lacks.

    A prompt is read as the beginning of a line. Each has random numbers of its own, drawn from the same seed, so that an answer
    does not depend on the other prompts. Where a vocabulary marks the ends of lines, a line's score counts its tokens and its
    end; else all its tokens but the first. A model of tokens that stand for no text reads and answers with their numbers.
    """

    tokenizer: "Tokenizer | None"
    score: bool
    length: int
    temperature: float
    seed: int

    def take_options(
        self,
        *,
        length: int,
        temperature: float,
        seed: int,
        score: bool,
        filters: Mapping[str, float | None] = MappingProxyType({}),
    ) -> None:
        """Keep how to continue: by so many tokens, drawn from the ``seed``; temperature 0 takes the likeliest. Or to ``score``.

        Raises:
            ValueError: for a negative length or temperature, what is no seed, or any of them and of the ``filters`` other than
                it is by itself where lines are scored.
        """
        check_counts(least=0, length=length)
        check_counts(least=0, most=2**63 - 1, seed=seed)
        check_temperature(temperature)
        check_flags(score=score)
        usual = {name: each.default for name, each in signature(type(self)).parameters.items()}
        given = {"length": length, "temperature": temperature, "seed": seed, **filters}
        if score and (unused := [name for name, value in given.items() if value != usual[name]]):
            raise ValueError(f"score=true scores the lines that are given and continues none: leave {', '.join(unused)} out")
        self.length, self.temperature, self.seed, self.score = length, temperature, seed, score

    def answer_each(self, encoded: Sequence[Encoded]) -> list[Answer]:
        answers = super().answer_each(encoded)
        if not self.score:
            return answers
        return [answer | {UNKNOWN: item.source or []} for answer, item in zip(answers, encoded, strict=True)]

    def words(self, tokens: Sequence[int]) -> str:
        return " ".join(map(str, tokens)) if self.tokenizer is None else self.tokenizer.decode(list(tokens))

    def no_answer(self) -> Answer:
        return dict(NO_SCORE) if self.score else {"text": ""}

    def text(self, answer: Answer, form: str = "text") -> str:
        """A continuation in one line, its line feeds shown as ``\\n``; a score as log-probability, tab, perplexity."""
        return score_line(answer) if self.score else answer["text"].replace("\n", "\\n")
