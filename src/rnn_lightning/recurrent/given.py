"""A network that a system is given, and did not build: tried on a tiny input, so that what breaks the contract shows at once.

Shapes: B rows, T steps, F features in, H features out.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..checks import is_whole, shown
from ..sequences import State, leaves, map_state
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


def is_own(cell: type) -> bool:
    """Whether a class of cells is of another package than this one: nothing has tried it yet."""
    return cell.__module__.split(".")[0] != __name__.split(".")[0]


@contextmanager
def errors_of_own(cell: type) -> Iterator[None]:
    """A block that makes a ``cell``: what fails there in a user's own class is told of with what the class must be."""
    try:
        yield
    except (TypeError, AttributeError, RuntimeError, IndexError) as error:
        if not is_own(cell):
            raise
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the cell {cell.__name__} cannot be made: {reason}; an __init__ of its own takes (input_size, hidden_size, "
            "**options), and its extra_parameters are tensors by name"
        ) from error


def check_cell(cell: Any) -> None:
    """Refuse a cell of a user's own whose ``start``, ``project`` and ``step`` do not make a step, on two rows.

    Raises:
        ValueError: naming the class, and what came and what must come.
    """
    what, weight = f"the cell {type(cell).__name__}", cell.input_weight
    if weight.is_meta:  # a trial, without numbers
        return
    inputs = torch.zeros(ROWS, STEPS, cell.input_size, dtype=weight.dtype, device=weight.device)
    with _left_as_it_is(cell):
        state = _called(what, "start(inputs)", lambda: cell.start(inputs))
        _check_state(what, "start", state, None)
        with _unchanged(what, "project", {"inputs": inputs}):
            projected = _called(what, "project(inputs)", lambda: cell.project(inputs))
        if not isinstance(projected, Tensor) or projected.dim() != 3 or projected.shape[:2] != (ROWS, STEPS):
            raise ValueError(
                f"{what} must project (B, T, F) to (B, T, P), here ({ROWS}, {STEPS}, P), not to {_form(projected)}"
            )
        with _unchanged(what, "step", {"projected": projected, "state": state}):
            made = _called(what, "step(projected, state)", lambda: cell.step(projected[:, 0], state))
        if not isinstance(made, tuple) or len(made) != 2:
            raise ValueError(f"{what} must step to a pair, the output (B, H) and the next state, not to {_form(made)}")
        output, after = made
        if not isinstance(output, Tensor) or output.shape != (ROWS, cell.hidden_size):
            raise ValueError(f"{what} must step to an output of shape {(ROWS, cell.hidden_size)}, not to {_form(output)}")
        _check_state(what, "step", after, nesting(state))
        with _unchanged(what, "sequence", {"projected": projected, "state": state}):
            whole = _called(what, "sequence(projected, state)", lambda: cell.sequence(projected.transpose(0, 1), state))
        _check_sequence(what, whole, state, cell.hidden_size)


def _check_sequence(what: str, made: Any, state: State, units: int) -> None:
    """Refuse what is neither nothing nor the outputs and the states after each step."""
    if made is None:
        return
    if not isinstance(made, tuple) or len(made) != 2:
        raise ValueError(f"{what} must make a sequence of the outputs and the states after each step, not {_form(made)}")
    outputs, states = made
    if not isinstance(outputs, Tensor) or outputs.shape != (STEPS, ROWS, units):
        wanted = f"outputs (T, B, H) of shape {(STEPS, ROWS, units)}"
        raise ValueError(f"{what} must make of a sequence (T, B, P) {wanted}, not {_form(outputs)}")
    if not _is_state(states) or any(leaf.shape[:2] != (STEPS, ROWS) for leaf in leaves(states)):
        raise ValueError(f"{what} must make of a sequence states (T, B, ...), T {STEPS} and B {ROWS} here, not {_form(states)}")
    _check_state(what, "bring a sequence", map_state(lambda part: part[-1], states), nesting(state))


@contextmanager
def _unchanged(what: str, method: str, given: Mapping[str, State]) -> Iterator[None]:
    """A block that calls a ``method`` with what is ``given``, none of which it may change."""
    before = {name: [leaf._version for leaf in leaves(value)] for name, value in given.items()}
    yield
    for name, value in given.items():
        if [leaf._version for leaf in leaves(value)] != before[name]:
            raise ValueError(
                f"{what} must leave the {name} that {method} is given as they are, and it changes them in place (as x.mul_(y) "
                "does): make new tensors (x * y)"
            )


def check_extra(cell: str, name: str, value: Any, known: Container[str]) -> None:
    """Refuse what ``extra_parameters`` of a ``cell`` gives as ``name`` if it is no tensor, or the ``known`` have that name."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"extra_parameters of {cell} must give names of letters, digits and underscores, not {shown(name)}")
    if not isinstance(value, Tensor):
        raise ValueError(f"extra_parameters of {cell} must give tensors by name, not {shown(value)} as {name!r}")
    if name in known:
        raise ValueError(f"extra_parameters of {cell} must give names of their own: {name!r} is there already")


def _check_state(what: str, method: str, state: Any, form: Any) -> None:
    """Refuse what is no state, or is nested otherwise than the ``form`` of the one from the start."""
    if not _is_state(state):
        raise ValueError(f"{what} must {method} to a state that is a tensor or a tuple of states, not {_form(state)}")
    if any(leaf.shape[:1] != (ROWS,) for leaf in leaves(state)):
        raise ValueError(f"{what} must {method} to a state of {ROWS} rows, as the inputs have, not {_form(state)}")
    if form is not None and (not is_nested(state, form) or nesting(state) != form):
        raise ValueError(
            f"{what} must {method} to a state like that of start, {shapes(form)} behind the rows, not {_form(state)}"
        )


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
def _left_as_it_is(network: torch.nn.Module) -> Iterator[None]:
    """A block in which the network draws nothing, learns nothing, and is in evaluation mode."""
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            network.eval()
            yield
    finally:
        for module, training in modes.items():
            module.training = training
