"""Transducers in training: the negative log-likelihood over all alignments, and errors by edits.

Shapes: B rows.
"""

from torch import Tensor

from ..ctc import Transcripts
from ..models.transducer import Transducer as Model
from ..sequences import Batch
from ..transducer import transducer_loss
from .labelled import LabelSystem


class Transducer(Model, LabelSystem):
    """The transducer of `models.transducer`, trained on labels as a `CTCRecognizer` reads them.

    Errors are counted in its ``unit``; characters with a space among them also have a rate of word errors. Predictions are
    the `Transcripts` of the likeliest path. A row without a step has no likelihood, and teaches nothing.
    """

    def complete(self) -> None:
        self.add_error_rates()

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        targets, counts = self.targets_of(batch)
        log_probs, steps = self.lattice(batch.inputs, batch.lengths, targets), self.steps(batch.inputs, batch.lengths)
        losses = transducer_loss(log_probs, targets, steps, counts, blank=self.blank)
        if split != "train":
            found = self.recognize(batch.inputs, batch.lengths)
            rows = zip(found.labels[:, 0].tolist(), found.lengths[:, 0].tolist(), strict=True)
            right = zip(targets.tolist(), counts.tolist(), strict=True)
            self.count_errors(split, *([row[:length] for row, length in side] for side in (rows, right)))
        return self.mean_loss(losses, counts, log_probs)

    def predict_on(self, batch: Batch) -> Transcripts:
        return self.recognize(batch.inputs, batch.lengths)
