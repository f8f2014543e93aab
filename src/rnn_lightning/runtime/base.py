"""What all exported networks share that answer raw items.

Shapes: B items of a batch, T steps of the longest.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..items.base import Answerer
from ..items.inputs import Encoded, Inputs, padded_steps
from .session import Array, Exported


class Deployed(Answerer):
    """An ``exported`` network that answers what its ``inputs`` encode, as the predictor of its kind does."""

    def __init__(self, exported: Exported, inputs: Inputs, *, batch_size: int) -> None:
        """Answer by ``exported``.

        Raises:
            ValueError: for a batch size below 1.
        """
        super().__init__(inputs, batch_size=batch_size)
        self.exported = exported

    @classmethod
    @abstractmethod
    def load(cls, folder: str | Path) -> "Deployed":
        """What answers by the network in an exported ``folder``. A subclass takes its options as further keywords.

        Raises:
            FileNotFoundError: where a file is missing.
            ValueError: for an option that does not fit.
        """

    def pad(self, batch: Sequence[Encoded]) -> tuple[Array, Array]:
        """The steps of a batch side by side (B, T, ...), filled up with zeros, and their lengths (B,)."""
        padded, lengths = padded_steps(batch)
        return padded, np.array(lengths)
