"""Encoder-decoders in training: teacher forcing, label smoothing, scheduled sampling.

Shapes: B rows, U target steps, V target tokens.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.inputs import real_targets
from ..models.labels import check_ends, put_end
from ..models.seq2seq import Seq2Seq as Model
from ..search import Hypotheses
from ..sequences import IGNORED, Batch, at_least_single
from .labelled import LabelSystem


class Seq2Seq(Model, LabelSystem):
    """The encoder-decoder of `models.seq2seq`, trained on the teacher's tokens. Predictions are the `Hypotheses` of a beam
    of 5.

    With ``labels`` errors are counted in their ``unit``, of what a beam of 1 finds; characters with a space among them also
    have a rate of word errors.
    """

    def complete(self) -> None:
        if self.labels is not None:
            self.add_error_rates()

    def check_targets(self, batch: Batch) -> None:
        self.real_targets(batch)

    def real_targets(self, batch: Batch) -> Tensor:
        """The targets of ``batch``, each with its end, `IGNORED` behind it.

        Raises:
            ValueError: on the CPU, for targets that are not what the model learns.
        """
        targets = real_targets(batch.targets, batch.target_lengths, self.target_vocab_size, "target_lengths")
        if self.labels is not None:
            lengths = targets.shape[1] if batch.target_lengths is None else batch.target_lengths.to(targets.device)
            unlabelled = (targets == IGNORED).all(1) & torch.as_tensor(lengths > 0, device=targets.device)
            return put_end(targets, self.end).masked_fill(unlabelled.unsqueeze(1), IGNORED)
        if targets.device.type == "cpu":
            check_ends(targets, self.end)
        return targets

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        targets = self.real_targets(batch)
        if self.labels is not None and split != "train":
            right = [row[row != IGNORED].tolist() for row in targets]
            found = self.best(self.translate(batch.inputs, batch.lengths, beam_size=1))
            pairs = [(one, other[:-1]) for one, other in zip(found, right, strict=True) if other]
            self.count_errors(split, *([pair[side] for pair in pairs] for side in (0, 1)))
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
        targets = self.real_targets(batch)
        features = self.teacher_forced(self.encode(batch.inputs, batch.lengths), targets)
        logits = at_least_single(self.decoder.output(features))
        losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=IGNORED)
        return -losses.sum(1)
