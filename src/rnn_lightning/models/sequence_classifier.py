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
from ..sequences import State, check_memory
from .class_weights import as_weights
from .inputs import first_layer
from .model import Model
from .pooling import make_pooling


class SequenceClassifier(Model):
    """A recurrent network that is read out once a sequence: at its last step, as the memory problems of the literature ask, or
    by another pooling of its steps.

    With ``num_classes`` the answer is a class (cross entropy, accuracy), without it a real value (mean squared error, as in
    the adding problem of Hochreiter and Schmidhuber 1997). Inputs are features (B, T, F), or tokens (B, T) with ``vocab_size``.
    A network that reads both ways is read out at both ends by the pooling ``last``.
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
        pooling: str = "last",
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
            dropout, pooling: on what is read out; of all steps to one vector, one of `models.pooling.POOLINGS`.
            class_weights: C weights of classes, as `balanced_weights` makes them, in the loss of a training alone.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule, rnn=rnn)
        self.embedding = first_layer(input_size, vocab_size, standardize)
        if num_classes is not None:
            check_counts(least=2, num_classes=num_classes)
            check_memory(num_classes=num_classes, input_size=input_size)
        self.input_size, self.num_classes, self.vocab_size = input_size, num_classes, vocab_size
        self.classes = check_classes(classes, num_classes)
        self.network, self.dropout = as_network(rnn, input_size), make_dropout(dropout, locked=False)
        self.output = Linear(self.network.output_size, num_classes or 1)
        self.pooling = make_pooling(pooling, self.network.output_size)
        self.register_buffer("class_weights", as_weights(class_weights, num_classes or 0), persistent=False)
        self.complete()

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Scores (B, C), or values (B, 1), from the real steps of each row as the pooling reads them, and the state."""
        pooled, after = self.pooling(self.network, self.embedding(inputs), lengths, state)
        return self.output(self.dropout(pooled)), after

    @torch.no_grad()
    def classify(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class (B,) of each row of ``inputs`` as ``forward`` reads them.

        Raises:
            ValueError: where the answer is a real value.
        """
        if self.num_classes is None:
            raise ValueError("a model without num_classes has no classes to tell")
        return self(inputs, lengths)[0].argmax(1)


def check_classes(classes: Sequence[str] | None, count: int | None) -> list[str] | None:
    """The names of ``count`` classes, all different, where they have any."""
    if classes is None:
        return None
    check_names("classes", classes, count=count or 0)
    return list(classes)
