"""Span metrics of sequence labelling: precision, recall and F1 as conlleval counts them.

conlleval is the script of the CoNLL-2000 and CoNLL-2003 shared tasks. It reads tags leniently, as `tag_schemes` says.

Shapes: B rows, T steps, K tags, C types of spans.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from .sequences import check_lengths, check_tensors, length_mask
from .tag_schemes import OUTSIDE, is_border, split_tags


class PrecisionRecallF1(NamedTuple):
    """Precision, recall and F1, and the counts that they are computed from, scalars; 0 where a denominator is 0."""

    precision: Tensor
    recall: Tensor
    f1: Tensor
    correct: Tensor
    predicted: Tensor
    gold: Tensor


class SpanScores(NamedTuple):
    """Precision, recall and F1 of all spans together (the micro average), and of each type."""

    overall: PrecisionRecallF1
    by_type: dict[str, PrecisionRecallF1]


class SpanF1(Metric):
    """Precision, recall and F1 of spans: a predicted span is correct if a gold one has the same steps and the same type."""

    full_state_update = False
    correct: Tensor
    predicted: Tensor
    gold: Tensor
    borders: Tensor
    kinds: Tensor

    def __init__(self, tags: Sequence[str], scheme: str) -> None:
        """Build the metric.

        Args:
            tags: the names of tags 0..K-1.
            scheme: BIO or BIOES.

        Raises:
            ValueError: for another scheme, or a tag that is not of the scheme.
        """
        super().__init__()
        parts = [*split_tags(tags, scheme), OUTSIDE]
        self.num_tags = len(tags)
        self.types = sorted({kind for prefix, kind in parts if prefix != "O"})
        borders = torch.tensor([[is_border(before, after) for after in parts] for before in parts])
        kinds = torch.tensor([-1 if prefix == "O" else self.types.index(kind) for prefix, kind in parts])
        self.register_buffer("borders", borders, persistent=False)  # (K + 1, K + 1): the last is beside the row
        self.register_buffer("kinds", kinds, persistent=False)  # (K + 1,)
        for name in ("correct", "predicted", "gold"):
            self.add_state(name, torch.zeros(len(self.types), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, gold: Tensor, lengths: Tensor | None = None) -> None:
        """Count the spans of tags ``predicted`` (B, T) and ``gold`` (B, T) over the first ``lengths`` (B,) steps of each row.

        Raises:
            ValueError: for other shapes, or a tag that is not one of 0..K-1.
        """
        check_tensors(predicted=predicted, gold=gold)
        if gold.dim() != 2 or predicted.shape != gold.shape or {predicted.dtype, gold.dtype} != {torch.int64}:
            kinds = f"{predicted.dtype} of {tuple(predicted.shape)} and {gold.dtype} of {tuple(gold.shape)}"
            raise ValueError(f"predicted and gold tags must be int64 of one shape (B, T), not {kinds}")
        if lengths is None:
            lengths = torch.full(gold.shape[:1], gold.shape[1], device=gold.device)
        check_lengths(lengths, gold)
        real = length_mask(lengths.to(gold.device), gold.shape[1])
        predictions, references = self._spans("predicted", predicted, real), self._spans("gold", gold, real)
        self.predicted += self._count(predictions)
        self.gold += self._count(references)
        self.correct += self._count(predictions.masked_fill(predictions != references, -1))

    def compute(self) -> SpanScores:
        """Precision, recall and F1 of all spans counted so far."""
        table = torch.stack([self.correct, self.predicted, self.gold])  # (3, C)
        by_type = dict(zip(self.types, (precision_recall_f1(*column) for column in table.unbind(1)), strict=True))
        return SpanScores(precision_recall_f1(*table.sum(1)), by_type)

    def _spans(self, name: str, tags: Tensor, real: Tensor) -> Tensor:
        """Spans as (B, T + 1): where one starts, the step at which it stops and its type as stop * C + type; elsewhere -1."""
        wrong = (real & ((tags < 0) | (tags >= self.num_tags))).nonzero()
        if len(wrong):
            row, step = wrong[0].tolist()
            raise ValueError(f"{name} tag {int(tags[row, step])} in row {row}, step {step}: tags are 0..{self.num_tags - 1}")
        path = F.pad(tags.masked_fill(~real, self.num_tags), (1, 1), value=self.num_tags)  # (B, T + 2)
        kinds, borders = self.kinds[path], self.borders[path[:, :-1], path[:, 1:]]
        starts, stops = borders & (kinds[:, 1:] >= 0), borders & (kinds[:, :-1] >= 0)
        # Spans do not overlap: the first to start is the first to stop.
        codes = stops.nonzero()[:, 1] * len(self.types) + kinds[:, 1:][starts]
        return torch.full_like(path[:, 1:], -1).masked_scatter(starts, codes)

    def _count(self, spans: Tensor) -> Tensor:
        """The number (C,) of ``spans`` of each type."""
        return (spans[spans >= 0] % len(self.types)).bincount(minlength=len(self.types))


def precision_recall_f1(correct: Tensor, predicted: Tensor, gold: Tensor) -> PrecisionRecallF1:
    """Precision, recall and F1 of counts of one shape."""
    precision, recall = correct / predicted.clamp(min=1), correct / gold.clamp(min=1)
    return PrecisionRecallF1(precision, recall, 2 * correct / (predicted + gold).clamp(min=1), correct, predicted, gold)
