"""Taggers in training: the loss of their output, accuracy over known and unknown words, and spans.

Shapes: B rows, T steps, E features of a word, V words, N real words.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from ..metrics import SpanF1
from ..models.inputs import check_no_target_lengths, real_targets
from ..models.tagger import Tagger as Model
from ..models.tagger import words_of
from ..sequences import IGNORED, Batch, check_tensors
from ..symbols import UNKNOWN_WORD
from .losses import class_loss
from .system import System

GROUPS = ("accuracy", "accuracy_known", "accuracy_unknown")


class Tagger(Model, System):
    """The tagger of `models.tagger`, trained. Predictions are the tags (B, T), `IGNORED` behind each row's length."""

    def complete(self) -> None:
        self.add_metrics(**dict.fromkeys(GROUPS, MeanMetric))
        if scheme := self.scheme:
            self.add_metrics(spans=lambda: SpanF1(self.tags, scheme))

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.shape != batch.inputs.shape[:2]:
            raise ValueError(f"targets must be one a word, {tuple(batch.inputs.shape[:2])}, not {tuple(batch.targets.shape)}")
        check_no_target_lengths(batch)
        targets = real_targets(batch.targets, batch.lengths, self.num_tags)
        emissions, _ = self(batch.inputs, batch.lengths)
        counted = targets != IGNORED
        count = int(counted.sum())
        if not count:
            return emissions.sum() * 0.0, 0
        if split != "train":
            tags = self.output.decode(emissions, batch.lengths)
            self._count(split, (tags == targets)[counted], words_of(batch.inputs)[counted] == UNKNOWN_WORD)
            for spans in self.spans_of(split):
                spans.update(tags, targets, batch.lengths)
        if split == "train" and self.class_weights is not None:
            return class_loss(emissions[counted], targets[counted], self.class_weights), count
        return self.output.loss(emissions, targets, batch.lengths).sum() / count, count

    def _count(self, split: str, right: Tensor, unknown: Tensor) -> None:
        """Count what is ``right`` (N,), of all words, of the known and of the ``unknown`` (N,)."""
        for group, chosen in zip(GROUPS, (right, right[~unknown], right[unknown]), strict=True):
            self.metric(split, group).update(chosen.float())

    def spans_of(self, split: str) -> list[SpanF1]:
        """What counts the spans of ``val`` or ``test``; nothing where tags mark none."""
        return [cast(SpanF1, metric) for name, metric in self.metrics_of(split).items() if name == "spans"]

    def epoch_values(self, split: str) -> dict[str, Any]:
        values = super().epoch_values(split)
        if any(values[group].isnan() for group in GROUPS):  # without unknown words there is nothing to tell apart
            values = {name: value for name, value in values.items() if name not in GROUPS[1:]}
        spans = values.pop("spans", None)
        if spans is None:
            return values
        overall = spans.overall
        scores = {"f1": overall.f1, "precision": overall.precision, "recall": overall.recall}
        return values | {name: value.float() for name, value in scores.items()}

    def predict_on(self, batch: Batch) -> Tensor:
        return self.tag(batch.inputs, batch.lengths)

    @torch.no_grad()
    def load_vectors(self, matrix: Tensor, found: Tensor) -> None:
        """Start the words that were ``found`` (V,) from their vectors ``matrix`` (V, E).

        Raises:
            ValueError: for a matrix of another shape than the embedding's.
        """
        check_tensors(matrix=matrix, found=found)
        weight = self.embedding.weight
        if matrix.shape != weight.shape:
            raise ValueError(f"vectors must have the embedding's shape {tuple(weight.shape)}, not {tuple(matrix.shape)}")
        weight[found] = matrix[found].to(weight)
