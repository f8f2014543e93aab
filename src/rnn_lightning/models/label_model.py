"""What models share that find labels in a signal: the network that reads it, thinned out in time, and the labels' names.

Shapes: B rows, T steps, F features, T' steps after subsampling, H features of the network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..checks import check_choice, check_counts, check_names
from ..label_names import UNITS, text_of_labels
from ..recurrent import Recurrent, as_network
from ..regularize import make_dropout
from ..sequences import State
from ..standardize import Standardize
from ..subsampling import make_subsampling, read_thinned, steps_left
from .model import Model


class LabelModel(Model):
    """A model of a signal's labels, of which one is the blank."""

    input_size: int

    def name_labels(self, labels: Sequence[str], unit: str, blank: int) -> None:
        """Keep the names of the ``labels``, what they are, and which of them is the blank.

        Raises:
            ValueError: for names that are not different texts, another unit, or a blank that is no label.
        """
        check_choice("unit", unit, sorted(UNITS))
        check_names("labels", labels, least=2)
        check_counts(least=0, most=len(labels) - 1, blank=blank)
        self.labels, self.unit, self.blank = list(labels), unit, blank

    def add_reader(
        self,
        rnn: dict[str, Any] | Recurrent,
        input_size: int,
        *,
        standardize: Mapping[str, Sequence[float]] | None,
        subsampling: dict[str, Any] | None,
        dropout: float,
    ) -> None:
        """Make what reads ``input_size`` features: they are standardised and thinned out for the network ``rnn``.

        Raises:
            ValueError: for a bad size or keyword.
        """
        check_counts(input_size=input_size)
        self.input_size = input_size
        self.standardize = Standardize(input_size, standardize)
        self.subsampling = make_subsampling(input_size, subsampling)
        self.network = as_network(rnn, self.subsampling.output_size if self.subsampling else input_size)
        self.dropout = make_dropout(dropout, locked=False)

    def hear(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """What the network makes of each step left of ``inputs`` (B, T, F), (B, T', H), and the state after the last."""
        hidden, after = read_thinned(self.subsampling, self.network, self.standardize(inputs), lengths, state)
        return self.dropout(hidden), after

    def steps(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """The steps T' (B,) that are left of ``lengths``, or of all steps of ``inputs``."""
        return steps_left(self.subsampling, inputs, lengths)

    def text(self, labels: Sequence[int]) -> str:
        """The labels of one row by their names: characters side by side, else with a blank space between."""
        return text_of_labels(self.labels, self.unit, labels)
