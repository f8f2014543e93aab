"""The contract of every recurrent network here: a sequence and a state in, a sequence and a state out.

Shapes: B rows, T steps, F features in, H features out.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import shown
from ..sequences import State, check_lengths, check_tensors, fill_padding, leaves, length_mask
from .resets import check_fresh, read_pieces


class Recurrent(nn.Module, ABC):
    """A recurrent network: inputs (B, T, F) and a state to outputs (B, T, H) and the next state.

    Whatever the batch holds behind a row's length changes nothing: the output is zero there, and the state is that of the
    row's last real step. Where it is ``causal``, reading in two goes equals reading at once.
    """

    input_size: int
    output_size: int
    bidirectional: bool = False
    _nesting: Any = None

    @property
    def causal(self) -> bool:
        """Whether no output depends on a later input, so that a sequence may be read in parts, as streaming and decoding do.

        A network with a backward direction is not causal; nor is one that looks ahead in another way, which overrides this.
        """
        return not self.bidirectional

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None, fresh: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read ``inputs`` (B, T, F) on from ``state`` (``None``: from the start).

        Args:
            lengths: (B,) the real steps of each row, 0 to T; ``None`` means all of them.
            fresh: (B, T) booleans: before which steps the row starts anew, as if what follows were a row of its own. With it
                a network that is not causal takes no ``state``.

        Returns:
            The outputs (B, T, H), zero behind each row's length, and the state after each row's last real step.

        Raises:
            ValueError: for inputs of another shape or width, or lengths or a state that do not fit them.
        """
        if torch.compiler.is_exporting() and fresh is None:
            return self._exported(inputs, lengths, state)
        self._check_inputs(inputs, lengths)
        if fresh is not None:
            check_fresh(fresh, inputs)
            if state is not None and not self.causal:
                raise ValueError("a network that reads backwards takes no state beside fresh: leave one of them out")
        rows, steps, _ = inputs.shape
        if state is None:
            state = self.start(inputs)
        elif not fits(state, self._nesting, rows):
            self._check_state(state, inputs)
        if not rows or not steps:
            return inputs.new_zeros(rows, steps, self.output_size), state
        if fresh is not None:
            return read_pieces(self, inputs, lengths, state, fresh)
        if lengths is None or bool((lengths == inputs.shape[1]).all()):
            return self.read(inputs, None, state)
        padding = ~length_mask(lengths.to(inputs.device), inputs.shape[1]).unsqueeze(2)  # (B, T, 1)
        outputs, state = self.read(inputs.masked_fill(padding, 0), lengths, state)
        return outputs.masked_fill(padding, 0), state

    def _check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        """Refuse inputs of another shape or width, and lengths that do not fit them."""
        shape = inputs.shape if isinstance(inputs, Tensor) else ()
        if len(shape) != 3 or shape[2] != self.input_size or not inputs.is_floating_point():
            check_tensors(inputs=inputs)
            kind = f"{inputs.dtype} of shape {tuple(inputs.shape)}"
            raise ValueError(f"inputs must be floats of shape (B, T, {self.input_size}), not {kind}")
        if lengths is not None:
            check_lengths(lengths, inputs)

    def _exported(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """What ``forward`` computes, for any number of rows and steps; nothing is asked that depends on what tensors hold."""
        outputs, after = self.read(inputs, lengths, self.start(inputs) if state is None else state)
        return fill_padding(outputs, lengths), after

    def _check_state(self, state: State, inputs: Tensor) -> None:
        """Refuse a ``state`` that is nested otherwise than the one from the start, or has other rows than ``inputs``."""
        if self._nesting is None:
            self._nesting = nesting(self.start(inputs[:0]))
        if not is_nested(state, self._nesting):
            raise ValueError(f"state must be a tensor, or tuple of states, that this network has made, not {shown(state)}")
        check_rows(state, len(inputs))
        if not fits(state, self._nesting, len(inputs)):
            given, own = (shapes(form) for form in (nesting(state), self._nesting))
            raise ValueError(f"the state must be of this network's sizes, {own} behind the rows, not {given}")

    @abstractmethod
    def start(self, inputs: Tensor) -> State:
        """The state before the first step, for the rows of ``inputs`` (B, ...), on its device."""

    @abstractmethod
    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        """The computation of ``forward``: its arguments are checked and zero in the padding, where outputs may be anything."""


def nesting(state: State) -> Any:
    """How the tensors of ``state`` are nested: the sizes of one behind its rows, or a tuple of nestings."""
    return state.shape[1:] if isinstance(state, Tensor) else tuple(map(nesting, state))


def shapes(form: Any) -> str:
    """The sizes of a `nesting` as text."""
    return str(tuple(form)) if isinstance(form, torch.Size) else f"({', '.join(map(shapes, form))})"


def fits(state: Any, form: Any, rows: int) -> bool:
    """Whether ``state`` is nested in this ``form`` and has so many ``rows``, in a microsecond: each step of a search asks."""
    if isinstance(form, torch.Size):
        return isinstance(state, Tensor) and state.shape == (rows, *form)
    if form is None or not isinstance(state, tuple) or len(state) != len(form):
        return False
    for part, inner in zip(state, form, strict=True):  # noqa: SIM110 - a generator takes as long as all else here
        if not fits(part, inner, rows):
            return False
    return True


def is_nested(state: Any, form: Any) -> bool:
    """Whether the tensors of ``state`` are nested in this ``form``."""
    if isinstance(form, torch.Size):
        return isinstance(state, Tensor)
    return isinstance(state, tuple) and len(state) == len(form) and all(map(is_nested, state, form))


def check_rows(state: State, rows: int) -> None:
    """Refuse a state of other than so many ``rows``: a single one would pass for all of them."""
    for leaf in leaves(state):
        if leaf.shape[:1] != (rows,):
            raise ValueError(f"the state must have {rows} rows, as the inputs have, not shape {tuple(leaf.shape)}")
