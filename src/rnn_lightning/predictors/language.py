"""Continuation and scoring of text by a language model.

Shapes: B prompts, T tokens of the longest, V tokens of the vocabulary.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..inference import prepared
from ..items.base import Answer
from ..items.folders import settings_of
from ..items.inputs import Encoded, make_inputs
from ..items.prompts import LanguageAnswers, prompt_inputs
from ..items.scores import score_of
from ..models import LanguageModel
from ..search.filters import Filter
from ..sequences import at_least_single
from .base import Predictor, load_system

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class LanguagePredictor(LanguageAnswers, Predictor[LanguageModel]):
    """Continuations or scores by a language model, see `LanguageAnswers`."""

    def __init__(
        self,
        system: LanguageModel,
        tokenizer: "Tokenizer | None",
        *,
        batch_size: int = 32,
        length: int = 50,
        temperature: float = 0.7,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        seed: int = 0,
        score: bool = False,
    ) -> None:
        """Answer by ``system``.

        Args:
            tokenizer: ``None`` for tokens that stand for no text.
            length, temperature, seed: of a continuation; temperature 0 takes the likeliest token.
            top_k, top_p, min_p: which tokens may be drawn, see `search.sample`.
            score: score lines in place of continuing them.

        Raises:
            ValueError: for a negative length or temperature, or a filter outside its range.
        """
        super().__init__(system, prompt_inputs(tokenizer, system.vocab_size, score=score), batch_size=batch_size)
        filters = {"top_k": top_k, "top_p": top_p, "min_p": min_p}
        self.take_options(length=length, temperature=temperature, seed=seed, score=score, filters=filters)
        self.keep = Filter(temperature, top_k, top_p, min_p)
        self.tokenizer = tokenizer

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 32,
        length: int = 50,
        temperature: float = 0.7,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        seed: int = 0,
        score: bool = False,
    ) -> "LanguagePredictor":
        inputs = settings_of(folder, "inputs")
        system = prepared(load_system(LanguageModel, folder))
        tokenizer = make_inputs(inputs, folder, system.vocab_size).tokenizer
        filters: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
        return cls(system, tokenizer, batch_size=batch_size, length=length, **filters, seed=seed, score=score)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        tokens, lengths = self.pad(batch)
        if lengths is None:
            lengths = torch.full((len(tokens),), tokens.shape[1])
        return (
            self.scores(tokens, lengths) if self.score else [{"text": self.words(row)} for row in self.go_on(tokens, lengths)]
        )

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
        chances = self.keep(at_least_single(scores)).softmax(1)
        return torch.cat([torch.multinomial(row, 1, generator=own) for row, own in zip(chances, generators, strict=True)])

    def scores(self, tokens: Tensor, lengths: Tensor) -> list[Answer]:
        """The log-probability of each row of ``tokens`` (B, T) behind its first."""
        log_probabilities = self.system.log_probabilities(tokens, lengths)
        answers: list[Answer] = []
        for row, length in zip(log_probabilities, lengths.tolist(), strict=True):
            answers.append(score_of(row[: length - 1].sum().item(), length - 1))
        return answers
