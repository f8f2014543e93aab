"""A reading step by step that keeps states and gates, the gradients through it, and the Jacobian of a step.

Shapes: B rows, T steps, F features, S numbers of a state.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..recurrent import Recurrent, gates_of
from ..sequences import Batch, State, leaves, length_mask, map_state, select_state
from ..systems import System

LOW, HIGH = 0.1, 0.9
"""A gate beyond these is saturated."""

NO_SIGMOIDS = ("candidate", "hidden", "exponential input")
"""Blocks of a cell that are no gates between 0 and 1."""


class Trace:
    """A reading of ``network`` step by step, of which the states and gates are kept: its ``inputs`` (B, T, F), the ``states``
    before each step, the ``real`` steps (B, T), the ``gates`` by name, below `LOW`, above `HIGH` and in all."""

    inputs: Tensor
    outputs: Tensor
    real: Tensor

    def __init__(self, network: Recurrent) -> None:
        self.network, self.step = network, network.read
        self.states: list[State] = []
        self.gates: dict[str, tuple[int, int, int]] = {}

    def norms(self, system: System, batch: Batch) -> Tensor:
        """The norms (B, T) of the gradient of each row's loss at its last step, by the steps back; NaN before the first."""
        self.network.read = self.read
        try:
            loss, count = system.loss_on(batch, "test")
        finally:
            self.network.read = self.step
        states = [leaves(state) for state in self.states[1:]]
        parts = [self.outputs, *(part for state in states for part in state)]
        outputs, *found = torch.autograd.grad(loss * count, parts, allow_unused=True, materialize_grads=True)
        each = len(states[0]) if states else 1
        after = [_norm(found[first : first + each]) for first in range(0, len(found), each)]
        last = self.real.sum(1) - 1  # (B,)
        norms = torch.stack([*after, last.new_zeros(last.shape, dtype=outputs.dtype)], 1)  # (B, T)
        norms[torch.arange(len(last)), last] = _norm([outputs[torch.arange(len(last)), last]])
        back = last.unsqueeze(1) - torch.arange(norms.shape[1])  # (B, T)
        return norms.gather(1, back.clamp(min=0)).masked_fill(back < 0, torch.nan)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        """As ``Recurrent.read``; but for that at a row's last step, no gradient goes through an output."""
        steps = inputs.shape[1]
        lengths = torch.full(inputs.shape[:1], steps) if lengths is None else lengths
        self.inputs, self.real, outputs = inputs, length_mask(lengths, steps), []
        for time in range(steps):
            state = map_state(_watched, state)
            self.states.append(state)
            with Sigmoids() as gates:
                output, after = self.step(inputs[:, time : time + 1], None, state)
            self._count(gates.found, self.real[:, time], leaves(state)[-1].shape[-1])
            state = select_state(self.real[:, time], after, state)
            outputs.append(output[:, 0])
        last = (torch.arange(steps) == lengths.unsqueeze(1) - 1).unsqueeze(2)  # (B, T, 1)
        self.outputs = _watched(torch.where(last, torch.stack(outputs, 1), torch.stack(outputs, 1).detach()))
        return self.outputs, state

    def _count(self, found: list[Tensor], real: Tensor, size: int) -> None:
        """Count the activations ``found`` of a step, (B, n * size) each, by the names that the cell gives its gates."""
        named = gates_of(self.network)
        sigmoids = [name for name in named if name not in NO_SIGMOIDS]
        blocks: list[tuple[str, Tensor]] = []
        for part in found if sigmoids else ():
            names = named if part.shape[1] == len(named) * size else sigmoids
            blocks += [(names[(len(blocks) + at) % len(names)], each) for at, each in enumerate(part.split(size, 1))]
        for name, block in blocks:
            if name in sigmoids:
                low, high = int((block[real] < LOW).sum()), int((block[real] > HIGH).sum())
                before = self.gates.get(name, (0, 0, 0))
                self.gates[name] = (before[0] + low, before[1] + high, before[2] + block[real].numel())


class Sigmoids(TorchFunctionMode):
    """Keeps what is computed by a sigmoid, or in logarithms by a log-sigmoid: the gates of a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.sigmoid, torch.Tensor.sigmoid):
            self.found.append(result.detach())
        elif func is F.logsigmoid:
            self.found.append(result.detach().exp())
        return result


def _watched(part: Tensor) -> Tensor:
    """A copy of ``part``, which alone the steps behind it are made of."""
    return part.clone().requires_grad_()


def _norm(parts: Sequence[Tensor]) -> Tensor:
    """The norms (B,) of ``parts`` (B, ...), row by row over all of them."""
    return torch.cat([part.flatten(1) for part in parts], 1).norm(dim=1)


def jacobian(network: Recurrent, inputs: Tensor, state: State) -> Tensor:
    """The derivatives (S, S) of the state after a step on ``inputs`` (1, F) with respect to ``state``, of one row.

    The numbers of a state are those of its tensors, one after the other, as `leaves` lists them.
    """
    size = sum(part[0].numel() for part in leaves(state))
    copies = map_state(lambda part: part.detach().expand(size, *part.shape[1:]).clone().requires_grad_(), state)
    with torch.enable_grad():
        _, after = network(inputs.detach().expand(size, -1).unsqueeze(1), None, copies)
        numbers = torch.cat([part.flatten(1) for part in leaves(after)], 1)  # (S, S): one row for each number
        found = torch.autograd.grad(numbers.diagonal().sum(), leaves(copies), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten(1) for part in found], 1)
