"""Recognisers in training: the loss of connectionist temporal classification, and errors by edits.

Shapes: B rows, T steps, C labels with the blank, U labels of the longest target.
"""

from typing import Any

from torch import Tensor
from torchmetrics import SumMetric

from ..ctc import Transcripts, ctc_greedy, ctc_loss
from ..models.ctc_recognizer import CTCRecognizer as Model
from ..processes import all_reduce_sum, rank_and_world_size
from ..sequences import Batch
from .labelled import LabelSystem
from .metered import EVALUATED


class CTCRecognizer(Model, LabelSystem):
    """The recogniser of `models.ctc_recognizer`, trained by connectionist temporal classification.

    Errors are counted in its ``unit``; characters with a space among them also have a rate of word errors. Predictions are
    the `Transcripts` of the best path.
    """

    def complete(self) -> None:
        self.add_error_rates()
        self.add_metrics("train", *EVALUATED, infeasible=SumMetric)

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        log_probs, _ = self(batch.inputs, batch.lengths)
        steps = self.steps(batch.inputs, batch.lengths)
        targets, counts = self.targets_of(batch)
        losses = ctc_loss(log_probs, targets, steps, counts, blank=self.blank)
        self.metric(split, "infeasible").update((~losses.isfinite()).sum())
        if split != "train":
            found = ctc_greedy(log_probs.detach(), steps, blank=self.blank)
            best = self.sequences(found.labels[:, 0], found.lengths[:, 0])
            self.count_errors(split, best, self.sequences(targets, counts))
        return self.mean_loss(losses, counts, log_probs)

    def predict_on(self, batch: Batch) -> Transcripts:
        return self.recognize(batch.inputs, batch.lengths)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        infeasible: Any = self.metric("train", "infeasible")
        checkpoint["infeasible"] = all_reduce_sum(int(infeasible.sum_value))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        if rank_and_world_size()[0] == 0:
            self.metric("train", "infeasible").update(checkpoint.get("infeasible", 0))
