"""A tag for each word of a line.

Shapes: B sentences, T words, C characters of the longest word.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from ..checks import check_flags
from ..items.base import Answer
from ..items.folders import file_in, read_description
from ..items.inputs import Encoded
from ..items.words import WordAnswers, WordInputs
from ..models import Tagger
from .base import Predictor, load_system

if TYPE_CHECKING:
    from ..corpora.lexicon import Lexicon


class TaggingPredictor(WordAnswers, Predictor[Tagger]):
    """The tags of each word of a line, and the spans that they mark, see `WordAnswers`."""

    def __init__(
        self,
        system: Tagger,
        lexicon: "Lexicon",
        *,
        batch_size: int = 32,
        tokens: Literal["simple", "blanks"] = "simple",
        confidence: bool = False,
    ) -> None:
        """Tag by ``system``, whose words are those of the ``lexicon``; for ``tokens`` see `WordInputs`, for ``confidence``
        `WordAnswers`."""
        super().__init__(system, WordInputs(lexicon, tokens), batch_size=batch_size)
        check_flags(confidence=confidence)
        self.confidence = confidence
        self.tags: Sequence[str] = lexicon.tags
        self.scheme: str | None = system.scheme

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 32,
        tokens: Literal["simple", "blanks"] = "simple",
        confidence: bool = False,
    ) -> "TaggingPredictor":
        from ..corpora.lexicon import Lexicon

        lexicon = Lexicon.read(file_in(folder, read_description(folder).get("lexicon")))
        system = load_system(Tagger, folder)
        return cls(system, lexicon, batch_size=batch_size, tokens=tokens, confidence=confidence)

    @torch.no_grad()
    def answer(self, encoded: Sequence[Encoded]) -> list[Answer]:
        """The answers to encoded items, in their order; a word that several of them have is spelled once."""
        spelled = [item.steps[:, 1:] for item in encoded if len(item.steps)]
        if self.system.spelling is None or not spelled:
            return super().answer(encoded)
        longest = max(part.shape[1] for part in spelled)
        characters = np.concatenate([np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in spelled])
        with self.system.spelling.reading(torch.from_numpy(characters).to(self.system.device)):
            return super().answer(encoded)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        if not self.confidence:
            rows = self.system.tag(*self.pad(batch)).tolist()
            return [self.of_words(item.source, row) for item, row in zip(batch, rows, strict=True)]
        found = zip(batch, *(part.tolist() for part in self.system.tag_with_confidence(*self.pad(batch))), strict=True)
        return [self.of_words(item.source, row, confidences) for item, row, confidences in found]
