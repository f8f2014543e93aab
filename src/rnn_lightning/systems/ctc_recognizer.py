"""Recognisers in training: the loss of connectionist temporal classification, and errors by edits.

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torchmetrics import SumMetric
from torchmetrics.text import CharErrorRate, WordErrorRate

from ..ctc import Transcripts, ctc_greedy, ctc_loss
from ..models.ctc_recognizer import UNITS
from ..models.ctc_recognizer import CTCRecognizer as Model
from ..processes import all_reduce_sum, rank_and_world_size
from ..sequences import IGNORED, Batch
from .metered import EVALUATED
from .system import System

PRIVATE = 0xE000
"""Where Unicode keeps 6,400 signs for private use: one for each label, so that a library of text can count edits of labels."""


class CTCRecognizer(Model, System):
    """The recogniser of `models.ctc_recognizer`, trained by connectionist temporal classification.

    Errors are counted in its ``unit``; characters with a space among them also have a rate of word errors. Predictions are
    the `Transcripts` of the best path.
    """

    def complete(self) -> None:
        self.add_metrics(**{UNITS[self.unit]: CharErrorRate})
        if self.unit == "character" and " " in self.labels:
            self.add_metrics(wer=WordErrorRate)
        self.add_metrics("train", *EVALUATED, infeasible=SumMetric)

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        log_probs, _ = self(batch.inputs, batch.lengths)
        steps = self.steps(batch.inputs, batch.lengths)
        targets, counts = batch.targets, batch.target_lengths
        if counts is None:
            counts = (targets != IGNORED).sum(1).cpu()
        losses = ctc_loss(log_probs, targets, steps, counts, blank=self.blank)
        feasible = losses.isfinite()
        self.metric(split, "infeasible").update((~feasible).sum())
        if split != "train":
            self._count_errors(split, ctc_greedy(log_probs.detach(), steps, blank=self.blank), targets, counts)
        if not bool(feasible.any()):
            return log_probs.sum() * 0.0, 0
        count = int(counts.to(feasible.device)[feasible].clamp(min=1).sum())
        return losses[feasible].sum() / count, count

    def _count_errors(self, split: str, answers: Transcripts, targets: Tensor, counts: Tensor) -> None:
        """Count the edits from the ``answers`` to the ``targets``, in labels and, where it is asked for, in words."""
        sides = self.sequences(answers.labels[:, 0], answers.lengths[:, 0]), self.sequences(targets, counts)
        metrics = self.metrics_of(split)
        metrics[UNITS[self.unit]].update(*map(self.signs, sides))
        if self.unit == "character" and "wer" in metrics:
            metrics["wer"].update(*([self.text(row) for row in rows] for rows in sides))

    def predict_on(self, batch: Batch) -> Transcripts:
        return self.recognize(batch.inputs, batch.lengths)

    @staticmethod
    def signs(rows: Sequence[Sequence[int]]) -> list[str]:
        """A text for each of the ``rows`` of labels, of one sign a label: what a library of text can count edits in."""
        return ["".join(chr(PRIVATE + label) for label in row) for row in rows]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        infeasible: Any = self.metric("train", "infeasible")
        checkpoint["infeasible"] = all_reduce_sum(int(infeasible.sum_value))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if rank_and_world_size()[0] == 0:
            self.metric("train", "infeasible").update(checkpoint.get("infeasible", 0))
