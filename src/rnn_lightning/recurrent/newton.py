"""Nonlinear recurrences over all steps at once: by Newton's method, each iteration of which is a linear recurrence.

A recurrence s_t = f(x_t, s_{t-1}) of all steps is one system of equations in the states of all steps, whose linearisation has
blocks J_t = df/ds_{t-1} below a diagonal of ones: an iteration adds the d_t with d_t = J_t d_{t-1} + (f(x_t, s_{t-1}) - s_t)
to the states (Lim et al. 2024, arXiv:2309.12252; Danieli et al. 2025, arXiv:2510.21450). Whoever knows the states, by Newton or
step by step, has their gradients by one iteration more, of which J_t and s_t are constants: the backward pass is one scan.

Shapes: T steps, K numbers of the state of each unit, B rows, H hidden units; time comes first.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from .own_backward import REMEDY, Gradients
from .parallel import scan

Linearise: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""States before each step (T, K, B, H) to the states after it, f, and its derivatives J (T, K, K, B, H), through which no
gradient passes; both may be of any other steps than the sequence's own."""

TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-7}
"""The largest change of a state by an iteration that ends them, by precision; the one iteration more squares it."""

MOST_ITERATIONS = 50


class NotConverged(FloatingPointError):
    """Newton's method over time that has not found the states of a sequence."""


def by_newton(linearise: Linearise, start: Tensor, steps: int, most: int = MOST_ITERATIONS) -> tuple[Tensor, int]:
    """The states (T, K, B, H) after each of so many ``steps`` from the state at the ``start`` (K, B, H), and the iterations
    that found them.

    They begin at 0, and stay within 1 or what ``start`` holds, as those of the cells here do: no iterate overflows, and since
    each iteration makes at least one step more exact, T iterations are always enough.

    Raises:
        NotConverged: where the ``most`` iterations still change the states by more than a tolerance, or by no number.
    """
    tolerance, bound = TOLERANCES[start.dtype], start.abs().max().clamp(min=1)
    states, change = start.new_zeros(steps, *start.shape), torch.inf
    for iteration in range(1, most + 1):
        after, slopes = linearise(before_each_step(states, start))
        step = block_scan(slopes, after - states, torch.zeros_like(start))
        states = torch.minimum((states + step).nan_to_num_(0), bound).maximum(-bound)
        change = float(step.abs().max())
        if change <= tolerance:
            return states, iteration
    if math.isnan(change):
        raise NotConverged("Newton's method over time changes a state by nan: look for NaN in inputs, weights and states")
    raise NotConverged(
        f"Newton's method over time has not converged: its iteration {most} over {steps} steps changes a state by "
        f"{change:.1e}, and {tolerance:.0e} ends it; the same cell by solver='steps' needs no iterations, and smaller "
        "recurrent weights fewer"
    )


def with_gradients(linearise: Linearise, states: Tensor, start: Tensor) -> Tensor:
    """The ``states`` (T, K, B, H), which are known but have no gradients, with those that the recurrence gives them."""
    after, slopes = linearise(before_each_step(states, start.detach()))
    return states + block_scan(slopes, after - states, start - start.detach())


def before_each_step(states: Tensor, start: Tensor) -> Tensor:
    """The states before each step, from the ``states`` after each and the one at the ``start`` (K, B, H)."""
    return torch.cat([start.unsqueeze(0), states[:-1]])


class BlockScan(Function):
    """h_t = A_t h_{t-1} + b_t for all steps, of K numbers of each unit: A (T, K, K, B, H), b (T, K, B, H) and the state before
    them (K, B, H)."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
        states = recurrence(keep, new, start)
        ctx.save_for_backward(keep, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a scan over time", REMEDY)
        (gradient,), (keep, states, start) = grad_outputs, ctx.saved_tensors
        back = keep.transpose(1, 2)
        later = torch.cat([torch.zeros_like(back[:1]), back[1:].flip(0)])
        to_new = recurrence(later, gradient.flip(0), torch.zeros_like(start)).flip(0)
        to_keep = None
        if ctx.needs_input_grad[0]:
            to_keep = to_new.unsqueeze(2) * before_each_step(states, start).unsqueeze(1)
        return to_keep, to_new, times(back[:1], to_new[:1])[0]


def block_scan(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """As `BlockScan`; of one number a unit it is a `scan`."""
    if keep.shape[1] == 1:
        return scan(keep[:, 0, 0], new[:, 0], start[0]).unsqueeze(1)
    states: Any = BlockScan.apply(keep, new, start)
    return states


def times(keep: Tensor, states: Tensor) -> Tensor:
    """A_t h_t: blocks (T, K, K, B, H) times states (T, K, B, H), or times blocks (T, K, K, B, H) of as many numbers."""
    if states.dim() == keep.dim():
        return torch.stack([times(keep, column) for column in states.unbind(2)], 2)
    found = keep[:, :, 0] * states[:, None, 0]
    for number in range(1, keep.shape[2]):
        found = torch.addcmul(found, keep[:, :, number], states[:, None, number])
    return found


def recurrence(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The states (T, K, B, H) after each step, in the form that the device is fast with."""
    return (by_loop if new.device.type == "cpu" else by_doubling)(keep, new, start)


def by_loop(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The recurrence step by step, K kernels each."""
    states, before = torch.empty_like(new, memory_format=torch.contiguous_format), start
    by_column = [column.unbind() for column in keep.unbind(2)]
    for time, (found, state) in enumerate(zip(new.unbind(), states.unbind(), strict=True)):
        for column, number in zip(by_column, before.unbind(), strict=True):
            found = torch.addcmul(found, column[time], number, out=state)  # noqa: PLW2901 - a sum, term by term
        before = state
    return states


def by_doubling(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The recurrence in log2(T) rounds over all steps (Hillis and Steele 1986): each joins pairs of twice as many steps."""
    states, factors, reach = torch.cat([new[:1] + times(keep[:1], start.unsqueeze(0)), new[1:]]), keep, 1
    while reach < len(new):
        states = torch.cat([states[:reach], states[reach:] + times(factors[reach:], states[:-reach])])
        factors = torch.cat([factors[:reach], times(factors[reach:], factors[:-reach])])
        reach *= 2
    return states
