"""Learned initial states: the state before the first step is a parameter, the same for all rows."""

from collections.abc import Mapping
from itertools import count

from torch import Tensor, nn

from ..sequences import State, leaves, map_state

INITIAL_STATES = ("zeros", "learned")
"""The values of ``initial_state``."""


class LearnedStart(nn.Module):
    """The state of rows that begin, whose numbers are learned from zero on, by backpropagation through time.

    ``zeros`` is the state of a row (1, ...) that is not learned, and ``constants`` are those numbers of it, by the place of
    their tensors among its `leaves`, that stay what they are here. A parameter is a vector for each other tensor that has any.
    """

    def __init__(self, zeros: State, constants: Mapping[int, float]) -> None:
        super().__init__()
        self.constants = constants
        for place, part in enumerate(leaves(zeros)):
            if place not in constants and part.numel():
                self.register_parameter(f"state_{place}", nn.Parameter(part.new_zeros(part.numel())))

    def forward(self, zeros: State) -> State:
        """The learned state for as many rows as the ``zeros`` have, in their precision at least."""
        places = count()
        return map_state(lambda part: self._learned(next(places), part), zeros)

    def _learned(self, place: int, zeros: Tensor) -> Tensor:
        learned: Tensor | None = getattr(self, f"state_{place}", None)
        if learned is None:
            return zeros + self.constants.get(place, 0.0)
        return zeros + learned.to(zeros.dtype).view(zeros.shape[1:])
