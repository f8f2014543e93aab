"""Real numbers for a whole sequence, or for every step of it.

Shapes: B rows, T steps, F features, K targets, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..checks import check_flags, check_names, shown
from ..products import Linear
from ..quantiles import check_quantiles
from ..recurrent import Recurrent, as_network
from ..regularize import make_dropout
from ..sequences import State
from ..standardize import Standardize
from .inputs import first_layer
from .model import Model
from .pooling import make_pooling


class SequenceRegressor(Model):
    """A recurrent network that tells K real numbers of a whole sequence, or of ``every_step``.

    Inputs are features (B, T, F), or tokens (B, T) with ``vocab_size``. Answers are of standardised values: (B, K), or
    (B, T, K); with ``quantiles`` they have a last dimension Q, in which they ascend. What comes after a sequence is told by a
    `Forecaster`; `SequenceClassifier` without classes, which is older, tells one number by the squared error.
    """

    input_size: int

    def __init__(
        self,
        rnn: dict[str, Any] | Recurrent,
        input_size: int,
        targets: Sequence[str] = ("value",),
        *,
        every_step: bool = False,
        vocab_size: int | None = None,
        standardize: Mapping[str, Sequence[float]] | None = None,
        standardize_targets: Mapping[str, Sequence[float]] | None = None,
        quantiles: Sequence[float] | None = None,
        dropout: float = 0.0,
        loss: str = "squared",
        pooling: str = "last",
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        """Build the regressor.

        Args:
            rnn: keywords of ``build_network`` without ``input_size``, or a network that reads ``input_size`` features.
            input_size: F; with ``vocab_size`` the width of the token embedding.
            targets: the names of the K targets; ``standardize_targets`` for them is what ``standardize`` is for features.
            dropout: on what is read out; ``loss``: of a system, but for quantiles, see `systems.losses`.
            pooling: as that of a `SequenceClassifier`; of ``every_step`` there is none.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule, rnn=rnn)
        self.embedding = first_layer(input_size, vocab_size, standardize)
        check_names("targets", targets)
        check_every_step(every_step, pooling)
        self.targets, self.input_size, self.vocab_size, self.every_step = list(targets), input_size, vocab_size, every_step
        self.quantiles = check_quantiles(quantiles)
        self.of_targets = Standardize(len(targets), standardize_targets, name="standardize_targets")
        self.network, self.dropout = as_network(rnn, input_size), make_dropout(dropout, locked=False)
        self.output = Linear(self.network.output_size, len(targets) * len(self.quantiles or [0.5]))
        self.pooling = make_pooling(pooling, self.network.output_size)
        self.complete()

    def check_steps(self, inputs: Tensor, lengths: Tensor | None) -> None:
        """Refuse a row without a step of which a number is to be told.

        Raises:
            ValueError: naming the row.
        """
        counts = torch.full((len(inputs),), inputs.shape[1]) if lengths is None else lengths
        if not self.every_step and counts.device.type == "cpu" and len(empty := (counts == 0).nonzero()):
            raise ValueError(f"row {int(empty[0])} has no step, of which nothing can be told: leave it out")

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """The standardised answers, see above, and the state after the last real step."""
        read = self.network if self.every_step else partial(self.pooling, self.network)
        outputs, after = read(self.embedding(inputs), lengths, state)
        values = self.output(self.dropout(outputs)).unflatten(-1, (len(self.targets), -1))
        return values.squeeze(-1) if self.quantiles is None else values.sort(-1).values, after

    @torch.no_grad()
    def regress(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The answers in the units of the targets; of ``every_step``, those behind a row's length say nothing."""
        self.check_steps(inputs, lengths)
        return self.in_units(self(inputs, lengths)[0])

    def in_units(self, values: Tensor) -> Tensor:
        """Standardised ``values``, as ``forward`` answers them, in the units of the targets."""
        mean, scale = self.of_targets.mean, self.of_targets.scale
        return values / scale + mean if self.quantiles is None else values / scale.unsqueeze(1) + mean.unsqueeze(1)


def check_every_step(every_step: bool, pooling: str) -> None:
    """Refuse a pooling of steps each of which has numbers of its own."""
    check_flags(every_step=every_step)
    if every_step and pooling != "last":
        raise ValueError(f"every_step tells numbers of each step, which no pooling {shown(pooling)} puts together")
