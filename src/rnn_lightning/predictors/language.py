"""Continuation and scoring of text by a language model.

Shapes: B prompts, T tokens of the longest, V tokens of the vocabulary.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..checks import check_counts, check_flags, check_number
from ..inference import prepared
from ..models import LanguageModel
from ..sequences import at_least_single
from .base import Answer, Encoded, Predictor
from .folders import load_system, settings_of
from .inputs import NOTHING, Inputs, TextInputs, TokenInputs, make_inputs

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class PromptInputs(Inputs):
    """Text to tokens, between the marks that end the line before and the line itself, where the vocabulary has such a mark."""

    packages = ("tokenizers",)

    def __init__(self, tokenizer: "Tokenizer", *, closed: bool) -> None:
        """With ``closed`` the mark behind the line is there too, which a prompt must not have."""
        self.tokenizer, self.closed = tokenizer, closed
        self.mark: list[int] = tokenizer.encode("").ids  # of a text without lines: none

    def encode(self, item: str) -> Encoded:
        tokens = [*self.mark, *self.tokenizer.encode(item, add_special_tokens=False).ids, *(self.mark if self.closed else [])]
        return Encoded(torch.tensor(tokens)) if tokens else NOTHING


class LanguagePredictor(Predictor[LanguageModel]):
    """A continuation of each prompt, ``{"text": ...}``, or the score of each line, ``{"log_probability": ..., "tokens": ...,
    "perplexity": ...}``.

    A prompt is read as the beginning of a line. Each has random numbers of its own, drawn from the same seed, so that an answer
    does not depend on the other prompts. Where a vocabulary marks the ends of lines, a line's score counts its tokens and its
    end; else all its tokens but the first. A model of tokens that stand for no text reads and answers with their numbers.
    """

    def __init__(
        self,
        system: LanguageModel,
        tokenizer: "Tokenizer | None",
        *,
        batch_size: int = 32,
        length: int = 50,
        temperature: float = 0.7,
        seed: int = 0,
        score: bool = False,
    ) -> None:
        """Answer by ``system``.

        Args:
            tokenizer: ``None`` for tokens that stand for no text.
            length, temperature, seed: of a continuation; temperature 0 takes the likeliest token.
            score: score lines in place of continuing them.

        Raises:
            ValueError: for a negative length or temperature.
        """
        inputs = TokenInputs(system.vocab_size) if tokenizer is None else PromptInputs(tokenizer, closed=score)
        super().__init__(system, inputs, batch_size=batch_size)
        check_counts(least=0, length=length)
        check_counts(least=0, most=2**63 - 1, seed=seed)
        check_number("temperature", temperature, least=0)
        check_flags(score=score)
        self.tokenizer, self.score = tokenizer, score
        self.length, self.temperature, self.seed = length, temperature, seed

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 32,
        length: int = 50,
        temperature: float = 0.7,
        seed: int = 0,
        score: bool = False,
    ) -> "LanguagePredictor":
        inputs = settings_of(folder, "inputs")
        system = prepared(load_system(LanguageModel, folder))
        read = make_inputs(inputs, folder, system.vocab_size)
        tokenizer = read.tokenizer if isinstance(read, TextInputs) else None
        sampling = {"batch_size": batch_size, "length": length, "seed": seed}
        return cls(system, tokenizer, **sampling, temperature=temperature, score=score)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        tokens, lengths = self.pad(batch)
        if lengths is None:
            lengths = torch.full((len(tokens),), tokens.shape[1])
        return (
            self.scores(tokens, lengths) if self.score else [{"text": self.words(row)} for row in self.go_on(tokens, lengths)]
        )

    def words(self, tokens: Sequence[int]) -> str:
        return " ".join(map(str, tokens)) if self.tokenizer is None else self.tokenizer.decode(list(tokens))

    def go_on(self, prompts: Tensor, lengths: Tensor) -> list[list[int]]:
        """The tokens that continue ``prompts`` (B, T), as ``LanguageModel.generate`` continues each alone."""
        generators = [torch.Generator(prompts.device).manual_seed(self.seed) for _ in prompts]
        logits, state = self.system(prompts, lengths)
        scores = logits[torch.arange(len(prompts)), lengths - 1]  # (B, V)
        found: list[Tensor] = []
        for _ in range(self.length):
            if found:
                scores, state = self.system.step(found[-1], state)
            found.append(self.draw(scores, generators))
        return torch.stack(found, 1).tolist() if found else [[] for _ in prompts]

    def draw(self, scores: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """A token (B,) for each row of ``scores`` (B, V)."""
        if self.temperature == 0:
            return scores.argmax(1)
        chances = (at_least_single(scores) / self.temperature).softmax(1)
        return torch.cat([torch.multinomial(row, 1, generator=own) for row, own in zip(chances, generators, strict=True)])

    def scores(self, tokens: Tensor, lengths: Tensor) -> list[Answer]:
        """The log-probability of each row of ``tokens`` (B, T) behind its first."""
        log_probabilities = self.system.log_probabilities(tokens, lengths)
        answers: list[Answer] = []
        for row, length in zip(log_probabilities, lengths.tolist(), strict=True):
            total, count = row[: length - 1].sum().item(), length - 1
            perplexity = math.exp(min(-total / count, 700)) if count else None
            answers.append({"log_probability": total, "tokens": count, "perplexity": perplexity})
        return answers

    def no_answer(self) -> Answer:
        return {"log_probability": 0.0, "tokens": 0, "perplexity": None} if self.score else {"text": ""}

    def text(self, answer: Answer, form: str = "text") -> str:
        """A continuation in one line, its line feeds shown as ``\\n``; a score as log-probability, tab, perplexity."""
        if not self.score:
            return answer["text"].replace("\n", "\\n")
        if answer["perplexity"] is None:
            return ""
        return f"{answer['log_probability']:.4f}\t{answer['perplexity']:.4f}"
