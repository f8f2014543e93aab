"""One answer for a whole sequence: a class, or a real value.

Shapes: B rows, T steps, F features, H features of the network, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ..checks import check_counts, check_names, shown
from ..recurrent import Recurrent, as_network
from ..regularize import make_dropout
from ..sequences import IGNORED, Batch, State, at_least_single, check_memory, last_outputs
from ..standardize import Standardize
from .inputs import check_tokens
from .system import System


class SequenceClassifier(System):
    """A recurrent network whose state after the last step is read out: the memory problems of the literature.

    With ``num_classes`` the answer is a class (cross entropy, accuracy), without it a real value (mean squared error, as in
    the adding problem of Hochreiter and Schmidhuber 1997). Inputs are features (B, T, F), or tokens (B, T) with ``vocab_size``.
    A network that reads both ways is read out at both ends. Predictions are the classes, or the values, (B,).
    """

    input_size: int

    def __init__(
        self,
        rnn: dict[str, Any] | Recurrent,
        input_size: int,
        *,
        num_classes: int | None = None,
        classes: Sequence[str] | None = None,
        vocab_size: int | None = None,
        standardize: Mapping[str, Sequence[float]] | None = None,
        dropout: float = 0.0,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        """Build the classifier.

        Args:
            rnn: keywords of ``build_network`` without ``input_size``, or a network that reads ``input_size`` features.
            input_size: F; with ``vocab_size`` the width of the token embedding.
            num_classes: C, at least 2; ``None``: a real value.
            classes: the names of the classes, kept with the model.
            standardize: means and deviations of the features, as ``Standardize`` takes them; not with ``vocab_size``.
            dropout: on what is read out.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule, rnn=rnn)
        check_sizes(input_size, num_classes, vocab_size)
        if classes is not None:
            check_names("classes", classes, count=num_classes or 0)
        if standardize is not None and vocab_size is not None:
            raise ValueError("standardize is for features; tokens have none, so give it or vocab_size")
        self.input_size, self.num_classes, self.vocab_size = input_size, num_classes, vocab_size
        self.embedding = Standardize(input_size, standardize) if vocab_size is None else nn.Embedding(vocab_size, input_size)
        self.network = as_network(rnn, input_size)
        self.dropout = make_dropout(dropout, locked=False)
        self.output = nn.Linear(self.network.output_size, num_classes or 1)
        if num_classes is not None:
            self.add_metrics(accuracy=MeanMetric)

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Scores (B, C), or values (B, 1), from the last real step of each row (both ends, if bidirectional), and the state."""
        outputs, after = self.network(self.embedding(inputs), lengths, state)
        ends = last_outputs(outputs, lengths, bidirectional=self.network.bidirectional)
        return self.output(self.dropout(ends)), after

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
        if self.num_classes is None:
            return F.mse_loss(scores.squeeze(1), batch.targets.to(scores.dtype)), len(scores)
        counted = batch.targets != IGNORED
        scores, targets = scores[counted], batch.targets[counted]
        if not len(targets):
            return scores.sum() * 0.0, 0
        if split != "train":
            self.metric(split, "accuracy").update((scores.argmax(1) == targets).float())
        return F.cross_entropy(at_least_single(scores), targets), len(targets)

    @torch.no_grad()
    def classify(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class (B,) of each row of ``inputs`` as ``forward`` reads them.

        Raises:
            ValueError: where the answer is a real value.
        """
        if self.num_classes is None:
            raise ValueError("a model without num_classes has no classes to tell")
        return self(inputs, lengths)[0].argmax(1)

    def predict_on(self, batch: Batch) -> Tensor:
        scores, _ = self(batch.inputs, batch.lengths)
        return scores.squeeze(1) if self.num_classes is None else scores.argmax(1)


def check_sizes(input_size: int, num_classes: int | None, vocab_size: int | None) -> None:
    """Refuse a size that is no whole number, or that asks for more memory than there is."""
    check_counts(input_size=input_size)
    if num_classes is not None:
        check_counts(least=2, num_classes=num_classes)
        check_memory(num_classes=num_classes, input_size=input_size)
    if vocab_size is not None:
        check_counts(vocab_size=vocab_size)
        check_memory(vocab_size=vocab_size, input_size=input_size)
