"""Encoder-decoders in training: teacher forcing, label smoothing, scheduled sampling.

Shapes: B rows, U target steps, V target tokens.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.inputs import real_targets
from ..models.seq2seq import Seq2Seq as Model
from ..models.seq2seq import check_ends
from ..search import Hypotheses
from ..sequences import IGNORED, Batch, at_least_single
from .system import System


class Seq2Seq(Model, System):
    """The encoder-decoder of `models.seq2seq`, trained on the teacher's tokens. Predictions are the `Hypotheses` of a beam
    of 5."""

    def check_targets(self, batch: Batch) -> None:
        check_ends(real_targets(batch.targets, batch.target_lengths, self.target_vocab_size, "target_lengths"), self.end)

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        targets = real_targets(batch.targets, batch.target_lengths, self.target_vocab_size, "target_lengths")
        if targets.device.type == "cpu":
            check_ends(targets, self.end)
        memory = self.encode(batch.inputs, batch.lengths)
        own = self._own_probability() if split == "train" else 0.0
        features = self.teacher_forced(memory, targets, own)
        counted = targets != IGNORED
        if not bool(counted.any()):
            return features.sum() * 0.0, 0
        smoothing = self.label_smoothing if split == "train" else 0.0
        logits = self.decoder.output(features[counted])
        return F.cross_entropy(at_least_single(logits), targets[counted], label_smoothing=smoothing), int(counted.sum())

    def _own_probability(self) -> float:
        if self.sampling is None:
            return 0.0
        return self.sampling["probability"] * min(1.0, self.global_step / self.sampling["steps"])

    def epoch_values(self, split: str) -> dict[str, Any]:
        values = super().epoch_values(split)
        return {**values, "perplexity": values["loss"].exp()}

    def predict_on(self, batch: Batch) -> Hypotheses:
        return self.translate(batch.inputs, batch.lengths)

    @torch.no_grad()
    def log_probabilities(self, batch: Batch) -> Tensor:
        """The log-probability (B,) of each row's target given its source."""
        batch = Batch.of(batch)
        targets = real_targets(batch.targets, batch.target_lengths, self.target_vocab_size, "target_lengths")
        features = self.teacher_forced(self.encode(batch.inputs, batch.lengths), targets)
        logits = at_least_single(self.decoder.output(features))
        losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=IGNORED)
        return -losses.sum(1)
