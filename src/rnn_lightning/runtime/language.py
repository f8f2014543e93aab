"""An exported language model that continues text, or scores it.

Shapes: B prompts, T tokens of the longest, V tokens of the vocabulary.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import check_filter
from ..items.base import Answer
from ..items.inputs import Encoded
from ..items.prompts import LanguageAnswers, prompt_inputs
from ..items.scores import score_of
from .base import Deployed
from .kinds import inputs_of
from .sampling import Filter, draw
from .session import Array, Exported, log_softmax


class DeployedLanguageModel(LanguageAnswers, Deployed):
    """Continuations or scores by a language model, see `LanguageAnswers`.

    What is drawn, at a temperature above 0, are NumPy's random numbers and not PyTorch's, so that continuations are others than
    those of a predictor; at temperature 0 they are the same.
    """

    def __init__(
        self,
        exported: Exported,
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
        """Answer by ``exported``; the options are those of `LanguagePredictor`."""
        check_filter(temperature, top_k, top_p, min_p)
        self.keep = Filter(temperature, top_k, top_p, min_p)
        self.tokenizer = inputs_of(exported).tokenizer
        super().__init__(exported, prompt_inputs(self.tokenizer, exported.settings["size"], score=score), batch_size=batch_size)
        self.take_options(length=length, temperature=temperature, seed=seed, score=score)

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
        threads: int = 1,
    ) -> "DeployedLanguageModel":
        filters: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
        return cls(Exported(folder, threads), batch_size=batch_size, length=length, **filters, seed=seed, score=score)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        tokens, lengths = self.pad(batch)
        if self.score:
            return self.scores(tokens, lengths)
        return [{"text": self.words(row)} for row in self.go_on(tokens, lengths)]

    def go_on(self, prompts: Array, lengths: Array) -> list[list[int]]:
        """The tokens that continue ``prompts`` (B, T), whose real ones are ``lengths`` (B,)."""
        graph, rows = self.exported.graphs["model"], len(prompts)
        draws = [np.random.default_rng(self.seed) for _ in range(rows)]
        outputs, *state = graph(prompts, lengths, *self.exported.start(rows))
        scores, found = outputs[np.arange(rows), lengths - 1], []
        for number in range(self.length):
            if number:
                outputs, *state = graph(found[-1][:, None], np.ones(rows, np.int64), *state)
                scores = outputs[:, 0]
            found.append(self.draw(scores, draws))
        return np.stack(found, 1).tolist() if found else [[] for _ in prompts]

    def draw(self, scores: Array, draws: Sequence[np.random.Generator]) -> Array:
        """A token (B,) for each row of ``scores`` (B, V)."""
        if self.temperature == 0:
            return scores.argmax(1)
        return draw(self.keep(scores), np.array([own.random() for own in draws]))

    def scores(self, tokens: Array, lengths: Array) -> list[Answer]:
        """The log-probability of each row of ``tokens`` (B, T) behind its first."""
        outputs = log_softmax(self.exported.outputs(tokens, lengths)[:, :-1])
        read = np.take_along_axis(outputs, tokens[:, 1:, None], 2)[:, :, 0]  # (B, T - 1)
        rows = zip(read, lengths.tolist(), strict=True)
        return [score_of(row[: length - 1].sum().item(), length - 1) for row, length in rows]
