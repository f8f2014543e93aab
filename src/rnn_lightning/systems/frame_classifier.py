"""Frame classifiers in training: cross entropy and accuracy over the real frames.

Shapes: B rows, T frames, C classes.
"""

from torch import Tensor
from torchmetrics import MeanMetric

from ..models.frame_classifier import FrameClassifier as Model
from ..models.inputs import check_no_target_lengths, real_targets
from ..sequences import IGNORED, Batch
from .losses import class_loss
from .system import System


class FrameClassifier(Model, System):
    """The classifier of `models.frame_classifier`, trained. Predictions are the classes (B, T), `IGNORED` behind each row's
    length."""

    def complete(self) -> None:
        self.add_metrics(accuracy=MeanMetric)

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.shape != batch.inputs.shape[:2]:
            raise ValueError(f"targets must be one a frame, {tuple(batch.inputs.shape[:2])}, not {tuple(batch.targets.shape)}")
        check_no_target_lengths(batch)
        targets = real_targets(batch.targets, batch.lengths, len(self.classes))
        scores, _ = self(batch.inputs, batch.lengths)
        counted = targets != IGNORED
        count = int(counted.sum())
        if not count:
            return scores.sum() * 0.0, 0
        if split != "train":
            self.metric(split, "accuracy").update((scores.argmax(2) == targets)[counted].float())
        return class_loss(scores[counted], targets[counted], self.class_weights if split == "train" else None), count

    def predict_on(self, batch: Batch) -> Tensor:
        return self.classify(batch.inputs, batch.lengths)
