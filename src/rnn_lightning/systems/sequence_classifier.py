"""One answer for a whole sequence: a class, or a real value.

Shapes: B rows, T steps, F features, H features of the network, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ..recurrent import build_network
from ..regularize import make_dropout
from ..sequences import IGNORED, Batch, State, last_outputs, length_mask
from ..standardize import Standardize
from .system import System


class SequenceClassifier(System):
    """A recurrent network whose state after the last step is read out: the memory problems of the literature.

    With ``num_classes`` the answer is a class (cross entropy, accuracy), without it a real value (mean squared error, as in
    the adding problem of Hochreiter and Schmidhuber 1997). Inputs are features (B, T, F), or tokens (B, T) with ``vocab_size``.
    A network that reads both ways is read out at both ends.
    """

    def __init__(
        self,
        rnn: dict[str, Any],
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
            rnn: keywords of ``recurrent`` without ``input_size``.
            input_size: F; with ``vocab_size`` the width of the token embedding.
            num_classes: C, at least 2; ``None``: a real value.
            classes: the names of the classes, kept with the model.
            standardize: means and deviations of the features, as ``Standardize`` takes them; not with ``vocab_size``.
            dropout: on what is read out.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule)
        self.save_hyperparameters()
        if num_classes is not None and num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, or None for a real value, not {num_classes}")
        if classes is not None and len(classes) != num_classes:
            raise ValueError(f"classes must name all {num_classes} classes, not {len(classes)}")
        if standardize is not None and vocab_size is not None:
            raise ValueError("standardize is for features; tokens have none, so give it or vocab_size")
        self.input_size, self.num_classes, self.vocab_size = input_size, num_classes, vocab_size
        self.embedding = Standardize(input_size, standardize) if vocab_size is None else nn.Embedding(vocab_size, input_size)
        self.network = build_network(input_size=input_size, **rnn)
        self.dropout = make_dropout(dropout, locked=False)
        self.output = nn.Linear(self.network.output_size, num_classes or 1)
        self.val_accuracy, self.test_accuracy = MeanMetric(), MeanMetric()

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        """Scores (B, C), or values (B, 1), from the last real step of each row (both ends, if bidirectional), and the state.

        Raises:
            ValueError: for inputs that are not finite or have another width, tokens outside the vocabulary, or bad lengths.
        """
        if inputs.device.type == "cpu":
            self.check_inputs(inputs, lengths)
        if self.vocab_size is not None and lengths is not None:  # what fills a row up need be no token
            inputs = inputs.masked_fill(~length_mask(lengths.to(inputs.device), inputs.shape[1]), 0)
        outputs, after = self.network(self.embedding(inputs), lengths, state)
        ends = last_outputs(outputs, lengths, bidirectional=self.network.bidirectional)
        return self.output(self.dropout(ends)), after

    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        if self.vocab_size is not None:
            wrong = torch.ones_like(inputs) if inputs.dtype != torch.int64 else (inputs < 0) | (inputs >= self.vocab_size)
            rule = f"tokens are int64 in 0..{self.vocab_size - 1}"
        else:
            if inputs.dim() != 3 or inputs.shape[2] != self.input_size:
                raise ValueError(f"inputs must be features (B, T, {self.input_size}), not of shape {tuple(inputs.shape)}")
            wrong, rule = ~torch.isfinite(inputs), "features must be finite"
        if lengths is not None and inputs.shape[1]:
            padding = ~length_mask(lengths, inputs.shape[1])
            wrong = wrong.masked_fill(padding.view(*padding.shape, *[1] * (wrong.dim() - 2)), False)
        places = wrong.nonzero()
        if len(places):
            place = places[0].tolist()
            raise ValueError(f"the input at row {place[0]}, step {place[1]} is {inputs[tuple(place)].item()}; {rule}")

    def score(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        scores, _ = self(batch.inputs, batch.lengths)
        if batch.targets.shape != (len(scores),):
            raise ValueError(f"targets must have shape ({len(scores)},), one a row, not {tuple(batch.targets.shape)}")
        if self.num_classes is None:
            return F.mse_loss(scores.squeeze(1), batch.targets), len(scores)
        counted = batch.targets != IGNORED
        scores, targets = scores[counted], batch.targets[counted]
        if not len(targets):
            return scores.sum() * 0.0, 0
        if split != "train":
            self.accuracy_of(split).update((scores.argmax(1) == targets).float())
        return F.cross_entropy(scores, targets), len(targets)

    @torch.no_grad()
    def classify(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class (B,) of each row of ``inputs`` as ``forward`` reads them.

        Raises:
            ValueError: where the answer is a real value.
        """
        if self.num_classes is None:
            raise ValueError("a model without num_classes has no classes to tell")
        return self(inputs, lengths)[0].argmax(1)

    def accuracy_of(self, split: str) -> MeanMetric:
        """The running accuracy over the rows of ``val`` or ``test``."""
        return self.val_accuracy if split == "val" else self.test_accuracy

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self.val_accuracy.reset()

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.test_accuracy.reset()

    def log_scores(self, split: str) -> None:
        if self.num_classes is not None:
            self.log(f"{split}/accuracy", self.accuracy_of(split).compute(), prog_bar=True)
