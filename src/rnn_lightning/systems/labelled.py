"""Systems that answer with labels by their names: their errors, counted by edits."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torchmetrics.text import CharErrorRate, WordErrorRate

from ..label_names import UNITS
from ..sequences import IGNORED, Batch
from .system import System

PRIVATE = 0xE000
"""Where Unicode keeps 6,400 signs for private use: one for each label, so that a library of text can count edits of labels."""


class LabelSystem(System):
    """A system that finds ``labels``, or texts of them, and has a rate of errors in their ``unit``."""

    labels: Any
    unit: Any

    @abstractmethod
    def text(self, labels: Sequence[int]) -> str:
        """The ``labels`` of one row as text."""

    def add_error_rates(self) -> None:
        """Keep the rate of errors in labels, and in words where these are characters with a space among them."""
        self.add_metrics(**{UNITS[self.unit]: CharErrorRate})
        if self.unit == "character" and " " in self.labels:
            self.add_metrics(wer=WordErrorRate)

    @staticmethod
    def targets_of(batch: Batch) -> tuple[Tensor, Tensor]:
        """The labels (B, U) that a batch asks for, and how many of each row are real (B,).

        Raises:
            ValueError: for targets of another shape.
        """
        targets, counts = batch.targets, batch.target_lengths
        if targets.dim() != 2:
            raise ValueError(f"targets must be integers of shape (B, U), not {targets.dtype} of shape {tuple(targets.shape)}")
        return targets, (targets != IGNORED).sum(1).cpu() if counts is None else counts

    @staticmethod
    def mean_loss(losses: Tensor, counts: Tensor, outputs: Tensor) -> tuple[Tensor, int]:
        """The mean of finite ``losses`` (B,) over their labels, at least one a row, and how many these are; where none is, a
        loss of 0 that depends on the ``outputs``."""
        finite = losses.isfinite()
        if not bool(finite.any()):
            return outputs.sum() * 0.0, 0
        count = int(counts.to(finite.device)[finite].clamp(min=1).sum())
        return losses[finite].sum() / count, count

    def count_errors(self, split: str, found: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> None:
        """Count the edits from the ``found`` rows of labels to those that are ``right``."""
        metrics = self.metrics_of(split)
        metrics[UNITS[self.unit]].update(self.signs(found), self.signs(right))
        if self.unit == "character" and "wer" in metrics:
            metrics["wer"].update(*([self.text(row) for row in rows] for rows in (found, right)))

    @staticmethod
    def signs(rows: Sequence[Sequence[int]]) -> list[str]:
        """A text for each of the ``rows`` of labels, of one sign a label: what a library of text can count edits in."""
        return ["".join(chr(PRIVATE + label) for label in row) for row in rows]
