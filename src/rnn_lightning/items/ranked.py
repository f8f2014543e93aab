"""Texts from best to worst as an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from .base import Answer, Answerer


class RankedAnswers(Answerer):
    """The best text of an item with its score, ``{"text": ..., "score": ...}``, and a list of the ``n_best`` where it is
    ``listed``."""

    listed: bool

    def of_ranked(self, ranked: Sequence[Mapping[str, Any]]) -> Answer:
        """The answer of texts with their scores, the best first."""
        best = dict(ranked[0]) if ranked else self.no_answer()
        return best | {"n_best": ranked} if self.listed else best

    def no_answer(self) -> Answer:
        return {"text": "", "n_best": []} if self.listed else {"text": ""}
