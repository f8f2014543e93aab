"""One answer for a whole sequence: a class, or a real value.

Shapes: B rows, T steps, F features, H features of the network, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..checks import check_counts, check_names
from ..products import Linear
from ..recurrent import Recurrent, as_network
from ..regularize import make_dropout
from ..sequences import State, check_memory, last_outputs
from .class_weights import as_weights
from .inputs import first_layer
from .model import Model


class SequenceClassifier(Model):
    """A recurrent network whose state after the last step is read out: the memory problems of the literature.

    With ``num_classes`` the answer is a class (cross entropy, accuracy), without it a real value (mean squared error, as in
    the adding problem of Hochreiter and Schmidhuber 1997). Inputs are features (B, T, F), or tokens (B, T) with ``vocab_size``.
    A network that reads both ways is read out at both ends.
    """

    input_size: int
    class_weights: Tensor | None

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
        class_weights: Sequence[float] | None = None,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        """Build the classifier.

        Args:
            rnn: keywords of ``build_network`` without ``input_size``, or a network that reads ``input_size`` features.
            input_size: F; with ``vocab_size`` the width of the token embedding.
            num_classes, classes: C, at least 2 (``None``: a real value), and their names, kept with the model.
            standardize: means and deviations of the features, as ``Standardize`` takes them; not with ``vocab_size``.
            dropout: on what is read out.
            class_weights: C weights of classes, as `balanced_weights` makes them, in the loss of a training alone.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule, rnn=rnn)
        self.embedding = first_layer(input_size, vocab_size, standardize)
        if num_classes is not None:
            check_counts(least=2, num_classes=num_classes)
            check_memory(num_classes=num_classes, input_size=input_size)
        if classes is not None:
            check_names("classes", classes, count=num_classes or 0)
        self.input_size, self.num_classes, self.vocab_size = input_size, num_classes, vocab_size
        self.classes = None if classes is None else list(classes)
        self.network, self.dropout = as_network(rnn, input_size), make_dropout(dropout, locked=False)
        self.output = Linear(self.network.output_size, num_classes or 1)
        self.register_buffer("class_weights", as_weights(class_weights, num_classes or 0), persistent=False)
        self.complete()

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Scores (B, C), or values (B, 1), from the last real step of each row (both ends, if bidirectional), and the state."""
        outputs, after = self.network(self.embedding(inputs), lengths, state)
        ends = last_outputs(outputs, lengths, bidirectional=self.network.bidirectional)
        return self.output(self.dropout(ends)), after

    @torch.no_grad()
    def classify(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class (B,) of each row of ``inputs`` as ``forward`` reads them.

        Raises:
            ValueError: where the answer is a real value.
        """
        if self.num_classes is None:
            raise ValueError("a model without num_classes has no classes to tell")
        return self(inputs, lengths)[0].argmax(1)
