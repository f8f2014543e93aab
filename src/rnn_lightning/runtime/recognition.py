"""An exported recogniser of labels by CTC.

Shapes: T steps.
"""

from collections.abc import Sequence
from pathlib import Path

from ..checks import check_beam, check_n_best
from ..items.base import Answer
from ..items.folders import search_of_test
from ..items.inputs import Encoded
from ..items.signals import labels_answer
from ..label_names import text_of_labels
from . import ctc
from .base import Deployed
from .kinds import inputs_of
from .session import Array, Exported


class DeployedRecognizer(Deployed):
    """The text of a signal with times and confidences, see `labels_answer`, and with ``n_best`` above 1 a list of texts."""

    def __init__(self, exported: Exported, *, batch_size: int = 16, beam_size: int | None = None, n_best: int = 1) -> None:
        """Answer by ``exported``; the options are those of `RecognitionPredictor`."""
        super().__init__(exported, inputs_of(exported), batch_size=batch_size)
        if beam_size is not None:
            check_beam(beam_size)
        check_n_best(n_best, beam_size)
        self.beam_size, self.n_best = beam_size, n_best

    @classmethod
    def load(
        cls, folder: str | Path, *, batch_size: int = 16, beam_size: int | None = None, n_best: int = 1, threads: int = 1
    ) -> "DeployedRecognizer":
        beam_size = search_of_test(folder).get("beam_size") if beam_size is None else beam_size
        return cls(Exported(folder, threads), batch_size=batch_size, beam_size=beam_size, n_best=n_best)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        stride = self.exported.settings["stride"]
        rows = zip(batch, self.exported.outputs(*self.pad(batch)), strict=True)
        return [self.answer_of(item, log_probs[: -(-len(item.steps) // stride)]) for item, log_probs in rows]

    def answer_of(self, item: Encoded, log_probs: Array) -> Answer:
        """The answer for ``log_probs`` (T, C) of an item."""
        settings = self.exported.settings
        blank, names, unit = (settings[name] for name in ("blank", "labels", "unit"))
        if self.beam_size is None:
            found = [ctc.best_path(log_probs, blank)]
        else:
            found = ctc.beam_search(log_probs, blank, self.beam_size)
        labels, score = found[0]
        times, own = ctc.align(log_probs, labels, blank), [names[label] for label in labels]
        text = text_of_labels(names, unit, labels)
        answer = labels_answer(item, text, score, names=own, times=times, stride=settings["stride"])
        if self.n_best > 1:
            ranked = found[: self.n_best]
            answer["n_best"] = [{"text": text_of_labels(names, unit, each), "score": value} for each, value in ranked]
        return answer
