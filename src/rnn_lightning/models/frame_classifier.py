"""A class for every frame of a signal: phonemes, as in Graves and Schmidhuber (2005).

Shapes: B rows, T frames, F features, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_counts, check_names
from ..products import Linear
from ..recurrent import Recurrent, as_network
from ..regularize import make_dropout
from ..sequences import IGNORED, State, fill_padding
from ..standardize import Standardize
from .class_weights import as_weights
from .model import Model


class FrameClassifier(Model):
    """A network that says of every frame what it is (Graves and Schmidhuber, Neural Networks 18, 2005).

    A network that reads one way may look ahead: with ``delay`` d its output at frame t + d classifies frame t, with
    ``splice`` k it reads each frame with the k on either side of it. Both see zeros beyond a row's ends. A ``feedforward`` cell
    with a splice is the windowed perceptron that the paper compares with.
    """

    input_size: int
    class_weights: Tensor | None

    def __init__(
        self,
        rnn: dict[str, Any] | Recurrent,
        input_size: int,
        classes: Sequence[str],
        *,
        standardize: Mapping[str, Sequence[float]] | None = None,
        splice: int = 0,
        delay: int = 0,
        dropout: float = 0.0,
        class_weights: Sequence[float] | None = None,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        """Build the classifier.

        Args:
            rnn: keywords of ``build_network`` without ``input_size``, or a network that reads (2 ``splice`` + 1) F features.
            input_size: F.
            classes: the names of the C classes.
            standardize: means and deviations of the features, as ``Standardize`` takes them.
            splice, delay: see above, in frames.
            dropout: on what the network makes of each frame.
            class_weights: C numbers, by which the targets of each class count in the loss of a training, and in no other loss
                or metric; ``None``: all alike. `balanced_weights` makes some.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule, rnn=rnn)
        check_counts(input_size=input_size)
        check_names("classes", classes, least=2)
        check_counts(least=0, splice=splice, delay=delay)
        self.input_size, self.classes, self.splice, self.delay = input_size, list(classes), splice, delay
        self.standardize = Standardize(input_size, standardize)
        self.network = as_network(rnn, (2 * splice + 1) * input_size)
        self.dropout = make_dropout(dropout, locked=False)
        self.output = Linear(self.network.output_size, len(classes))
        self.register_buffer("class_weights", as_weights(class_weights, len(classes)), persistent=False)
        self.complete()

    @property
    def causal(self) -> bool:
        """Whether no score depends on a later frame, so that reading in two goes equals reading at once."""
        return self.network.causal and self.splice == self.delay == 0

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Scores (B, T, C) of the classes of each frame of ``inputs`` (B, T, F), and the state after the last.

        Raises:
            ValueError: for a state with splice or delay.
        """
        if state is not None and (self.splice or self.delay):
            raise ValueError(f"with splice {self.splice} and delay {self.delay} a row must be read in one go, without a state")
        features = fill_padding(self.standardize(inputs), lengths)
        features = F.pad(features, (0, 0, 0, self.delay))
        if self.splice:
            steps = features.shape[1]
            around = F.pad(features, (0, 0, self.splice, self.splice))
            features = torch.cat([around[:, shift : shift + steps] for shift in range(2 * self.splice + 1)], 2)
        later = None if lengths is None else lengths + self.delay
        hidden, after = self.network(features, later, state)
        return self.output(self.dropout(hidden[:, self.delay :])), after

    @torch.no_grad()
    def classify(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class (B, T) of each frame of ``inputs``, `IGNORED` behind each row's length."""
        return fill_padding(self(inputs, lengths)[0].argmax(2), lengths, IGNORED)
