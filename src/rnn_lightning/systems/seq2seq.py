"""Encoder-decoders in training: teacher forcing, label smoothing, scheduled sampling.

Shapes: B rows, U target steps, V target tokens.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..copying import OUTSIDE
from ..models.inputs import real_targets
from ..models.labels import check_ends, put_end
from ..models.seq2seq import Seq2Seq as Model
from ..search import Hypotheses
from ..sequences import IGNORED, Batch, at_least_single, fill_padding
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
        size = self.target_vocab_size if self.decoder.pointer is None else self.target_vocab_size + OUTSIDE
        targets = real_targets(batch.targets, batch.target_lengths, size, "target_lengths")
        if self.decoder.pointer is not None:
            check_copied(targets, fill_padding(batch.inputs, batch.lengths), self.target_vocab_size)
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
        decoded = self.teacher_forced(memory, targets, own)
        counted = targets != IGNORED
        if not bool(counted.any()):
            return decoded.features.sum() * 0.0, 0
        looked_again = self.coverage_loss * repeated_looks(decoded.weights, counted) if self._covers(split) else 0.0
        if self.decoder.pointer is not None:
            losses = F.nll_loss(self.decoder.log_probs(memory, decoded)[counted], targets[counted])
            return losses + looked_again, int(counted.sum())
        smoothing = self.label_smoothing if split == "train" else 0.0
        logits = at_least_single(self.decoder.output(decoded.features[counted]))
        return F.cross_entropy(logits, targets[counted], label_smoothing=smoothing) + looked_again, int(counted.sum())

    def _covers(self, split: str) -> bool:
        return split == "train" and self.coverage_loss > 0

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
        memory = self.encode(batch.inputs, batch.lengths)
        log_probs = self.decoder.log_probs(memory, self.teacher_forced(memory, targets))
        losses = F.nll_loss(log_probs.transpose(1, 2), targets, reduction="none", ignore_index=IGNORED)
        return -losses.sum(1)


def repeated_looks(weights: Tensor | None, counted: Tensor) -> Tensor:
    """The mean over the ``counted`` (B, U) target steps of the sum over source steps of min(a, c), the ``weights`` a (B, U, S)
    of a step and the sum c of those before."""
    assert weights is not None
    weights = at_least_single(weights)
    return torch.minimum(weights, weights.cumsum(1) - weights).sum(2)[counted].mean()


def check_copied(targets: Tensor, sources: Tensor, size: int) -> None:
    """Refuse ``targets`` (B, U) of which one outside the vocabulary of ``size`` is not in its source (B, S).

    Raises:
        ValueError: on the CPU, naming it.
    """
    if targets.device.type != "cpu":
        return
    outside = targets >= size
    wrong = (outside & ~(targets.unsqueeze(2) == sources.unsqueeze(1)).any(2)).nonzero()
    if len(wrong):
        row, step = wrong[0].tolist()
        raise ValueError(
            f"target {int(targets[row, step])} in row {row}, step {step} is outside the vocabulary of {size} and not in its "
            "source, from which it would be copied: give it the unknown token"
        )
