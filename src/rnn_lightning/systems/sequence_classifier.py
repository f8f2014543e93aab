"""Sequence classifiers in training: cross entropy and accuracy, or the mean squared error of a real value.

Shapes: B rows, C classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric

from ..checks import shown
from ..models.inputs import check_tokens
from ..models.sequence_classifier import SequenceClassifier as Model
from ..sequences import IGNORED, Batch
from .losses import class_loss
from .system import System


class SequenceClassifier(Model, System):
    """The classifier of `models.sequence_classifier`, trained. Predictions are the classes, or the values, (B,)."""

    def complete(self) -> None:
        if self.num_classes is not None:
            self.add_metrics(accuracy=MeanMetric)

    def check_targets(self, batch: Batch) -> None:
        targets, rows = batch.targets, len(batch.inputs)
        if targets.shape != (rows,):
            raise ValueError(f"targets must have shape ({rows},), one a row, not {tuple(targets.shape)}")
        if self.num_classes is not None:
            check_tokens("target", targets.unsqueeze(1), self.num_classes, also=IGNORED)
        elif not targets.is_floating_point() or not bool(torch.isfinite(targets).all()):
            raise ValueError(f"targets must be finite floats, one a row, not {targets.dtype}: {shown(targets.tolist())}")

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        scores, _ = self(batch.inputs, batch.lengths)
        if batch.targets.device.type == "cpu":
            self.check_targets(batch)
        if self.num_classes is None and len(scores):
            return F.mse_loss(scores.squeeze(1), batch.targets.to(scores.dtype)), len(scores)
        counted = batch.targets != IGNORED
        scores, targets = scores[counted], batch.targets[counted]
        if not len(targets):
            return scores.sum() * 0.0, 0
        if split != "train":
            self.metric(split, "accuracy").update((scores.argmax(1) == targets).float())
        return class_loss(scores, targets, self.class_weights if split == "train" else None), len(targets)

    def predict_on(self, batch: Batch) -> Tensor:
        scores, _ = self(batch.inputs, batch.lengths)
        return scores.squeeze(1) if self.num_classes is None else scores.argmax(1)
