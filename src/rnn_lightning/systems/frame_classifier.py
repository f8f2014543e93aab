"""A class for every frame of a signal: phonemes, as in Graves and Schmidhuber (2005).

Shapes: B rows, T frames, F features, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ..recurrent import build_network
from ..regularize import make_dropout
from ..sequences import IGNORED, Batch, State, length_mask
from ..standardize import Standardize
from .system import System, check_sizes, real_targets


class FrameClassifier(System):
    """A network that says of every frame what it is (Graves and Schmidhuber, Neural Networks 18, 2005).

    A network that reads one way may be told some of what comes: with ``delay`` d it says at frame t + d what frame t is, with
    ``splice`` k it reads each frame with the k on either side of it. Both see zeros beyond a row's ends. A ``feedforward`` cell
    with a splice is the windowed perceptron that the paper compares with.
    """

    def __init__(
        self,
        rnn: dict[str, Any],
        input_size: int,
        classes: Sequence[str],
        *,
        standardize: Mapping[str, Sequence[float]] | None = None,
        splice: int = 0,
        delay: int = 0,
        dropout: float = 0.0,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        """Build the classifier.

        Args:
            rnn: keywords of ``recurrent`` without ``input_size``.
            input_size: F.
            classes: the names of the C classes.
            standardize: means and deviations of the features, as ``Standardize`` takes them.
            splice, delay: see above, in frames.
            dropout: on what the network makes of each frame.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule)
        self.save_hyperparameters()
        check_sizes(input_size=input_size)
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(f"classes must be two or more, all different, not {list(classes)}")
        if min(splice, delay) < 0:
            raise ValueError(f"splice and delay must be 0 frames or more, not {splice} and {delay}")
        self.input_size, self.classes, self.splice, self.delay = input_size, list(classes), splice, delay
        self.standardize = Standardize(input_size, standardize)
        self.network = build_network(input_size=(2 * splice + 1) * input_size, **rnn)
        self.causal = self.network.causal and splice == 0 and delay == 0
        self.dropout = make_dropout(dropout, locked=False)
        self.output = nn.Linear(self.network.output_size, len(classes))
        self.val_accuracy, self.test_accuracy = MeanMetric(), MeanMetric()

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        """Scores (B, T, C) of the classes of each frame of ``inputs`` (B, T, F), and the state after the last.

        Raises:
            ValueError: for inputs of another width or not finite, lengths that do not fit, or a state with splice or delay.
        """
        if inputs.device.type == "cpu":
            self.check_inputs(inputs, lengths)
        if state is not None and (self.splice or self.delay):
            raise ValueError(f"with splice {self.splice} and delay {self.delay} a row must be read in one go, without a state")
        features = self.standardize(inputs)
        if lengths is not None and lengths.shape == inputs.shape[:1]:
            real = length_mask(lengths.to(inputs.device), inputs.shape[1])
            features = features.masked_fill(~real.unsqueeze(2), 0)
        features = F.pad(features, (0, 0, 0, self.delay))
        if self.splice:
            steps = features.shape[1]
            around = F.pad(features, (0, 0, self.splice, self.splice))
            features = torch.cat([around[:, shift : shift + steps] for shift in range(2 * self.splice + 1)], 2)
        later = None if lengths is None else lengths + self.delay
        hidden, after = self.network(features, later, state)
        return self.output(self.dropout(hidden[:, self.delay :])), after

    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        if inputs.dim() != 3 or inputs.shape[2] != self.input_size or not inputs.is_floating_point():
            shape = f"(B, T, {self.input_size})"
            raise ValueError(f"inputs must be floats of shape {shape}, not {inputs.dtype} of shape {tuple(inputs.shape)}")
        wrong = ~torch.isfinite(inputs).all(2)
        if lengths is not None and lengths.shape == inputs.shape[:1]:
            wrong &= length_mask(lengths, inputs.shape[1])
        places = wrong.nonzero()
        if len(places):
            row, step = places[0].tolist()
            raise ValueError(f"the input at row {row}, step {step} is not finite: {inputs[row, step].tolist()[:4]} ...")

    def score(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.shape != batch.inputs.shape[:2]:
            raise ValueError(f"targets must be one a frame, {tuple(batch.inputs.shape[:2])}, not {tuple(batch.targets.shape)}")
        targets = real_targets(batch.targets, batch.lengths, len(self.classes))
        scores, _ = self(batch.inputs, batch.lengths)
        counted = targets != IGNORED
        count = int(counted.sum())
        if not count:
            return scores.sum() * 0.0, 0
        if split != "train":
            self.accuracy_of(split).update((scores.argmax(2) == targets)[counted].float())
        return F.cross_entropy(scores[counted], targets[counted]), count

    def accuracy_of(self, split: str) -> MeanMetric:
        """The running accuracy over the frames of ``val`` or ``test``."""
        return self.val_accuracy if split == "val" else self.test_accuracy

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self.val_accuracy.reset()

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.test_accuracy.reset()

    def log_scores(self, split: str) -> None:
        self.log(f"{split}/accuracy", self.accuracy_of(split).compute(), prog_bar=True)

    @torch.no_grad()
    def classify(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class (B, T) of each frame of ``inputs``, `IGNORED` behind each row's length."""
        found = self(inputs, lengths)[0].argmax(2)
        if lengths is None:
            return found
        return found.masked_fill(~length_mask(lengths.to(found.device), found.shape[1]), IGNORED)
