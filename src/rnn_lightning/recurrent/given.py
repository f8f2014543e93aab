"""A network that a system is given, and did not build: tried on a tiny input, so that what breaks the contract shows at once.

Shapes: B rows, T steps, F features in, H features out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..checks import is_whole, shown
from ..sequences import leaves
from .contract import Recurrent, is_nested, nesting, shapes

ROWS, STEPS = 2, 3


def check_given(name: str, network: Recurrent) -> None:
    """Refuse a ``network`` whose ``start`` and ``read`` do not make what the contract of `Recurrent` says, on two rows of three
    steps; it stays as it is. `check_invariance` looks at what it makes of padding.

    Raises:
        ValueError: naming the argument ``name``, the class, and what came and what must come.
    """
    what = f"{name}, a {type(network).__name__},"
    for size in ("input_size", "output_size"):
        if not is_whole(value := getattr(network, size, None), 1):
            raise ValueError(f"{what} must say its {size}, a whole number from 1 on, not {shown(value)}")
    first = next(network.parameters(), None)
    if torch.empty(0).is_meta or (first is not None and first.is_meta):  # a trial, without numbers
        return
    dtype, device = (torch.float32, None) if first is None else (first.dtype, first.device)
    inputs = torch.zeros(ROWS, STEPS, network.input_size, dtype=dtype, device=device)
    with _left_as_it_is(network):
        state = _called(what, "start(inputs)", lambda: network.start(inputs))
        _check_state(what, "start", state, None)
        for lengths in (None, torch.tensor([STEPS, 1])):
            made = _called(what, "read(inputs, lengths, state)", lambda lengths=lengths: network.read(inputs, lengths, state))
            if not isinstance(made, tuple) or len(made) != 2:
                raise ValueError(f"{what} must read to the outputs and the state after them, not to {_form(made)}")
            outputs, after = made
            wanted = (ROWS, STEPS, network.output_size)
            if not isinstance(outputs, Tensor) or outputs.shape != wanted:
                raise ValueError(f"{what} must read (B, T, F) to outputs (B, T, H) of shape {wanted}, not {_form(outputs)}")
            _check_state(what, "read", after, nesting(state))


def _check_state(what: str, method: str, state: Any, form: Any) -> None:
    """Refuse what is no state, or is nested otherwise than the ``form`` of the one from the start."""
    if not _is_state(state):
        raise ValueError(f"{what} must {method} to a state that is a tensor or a tuple of states, not {_form(state)}")
    if any(leaf.shape[:1] != (ROWS,) for leaf in leaves(state)):
        raise ValueError(f"{what} must {method} to a state of {ROWS} rows, as the inputs have, not {_form(state)}")
    if form is not None and (not is_nested(state, form) or nesting(state) != form):
        raise ValueError(f"{what} must read to a state like that of start, {shapes(form)} behind the rows, not {_form(state)}")


def _is_state(state: Any) -> bool:
    return isinstance(state, Tensor) or (isinstance(state, tuple) and all(map(_is_state, state)))


def _form(value: Any) -> str:
    """What came, in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"({', '.join(map(_form, value))})" if isinstance(value, tuple) else shown(value)


def _called(what: str, call: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{what} fails in {call} on inputs of shape (B, T, F): {reason}") from error


@contextmanager
def _left_as_it_is(network: Recurrent) -> Iterator[None]:
    """A block in which the network draws nothing, learns nothing, and is in evaluation mode."""
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            network.eval()
            yield
    finally:
        for module, training in modes.items():
            module.training = training
