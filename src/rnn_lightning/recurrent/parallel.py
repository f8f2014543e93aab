"""Recurrences without a matrix from state to state, over all steps at once, with a backward pass of their own.

The linear recurrence h_t = a_t * h_{t-1} + b_t, real or complex, has two forms: a loop with one kernel a step on the CPU, and
one of log2(T) rounds elsewhere; a third is a kernel (`rnn_lightning.kernels`), where it is asked for. All compute
with a and b as they are, without logarithms and quotients, so that any sign and size of them is exact. The backward pass is the
same recurrence, from the last step to the first; it keeps a and h.

Shapes: T steps, B rows, H hidden units; time comes first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from .own_backward import REMEDY, Gradients

SOME = 16
"""Steps whose products are there at a time."""


class Forms(NamedTuple):
    """What computes a scan: as `recurrence` and `recurrence_back`."""

    forward: Callable[[Tensor, Tensor, Tensor], Tensor]
    back: Callable[[Tensor, Tensor], Tensor]


class LinearScan(Function):
    """h_t = a_t * h_{t-1} + b_t for all steps: a (T, B, H) or (H,), b (T, B, H) and the state before them (B, H)."""

    @staticmethod
    def forward(ctx: Any, forms: Forms, keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
        states = forms.forward(keep.expand_as(new), new, start)
        ctx.save_for_backward(keep, states, start)
        ctx.forms = forms
        return states

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a scan over time", REMEDY)
        keep, states, start = ctx.saved_tensors
        back = keep.conj().resolve_conj().expand_as(states)
        to_new = ctx.forms.back(back, *grad_outputs)
        to_keep = None
        if ctx.needs_input_grad[1]:
            sums = keep.dim() == 1
            to_keep = sum_of_products(to_new, states, start) if sums else products_with_before(to_new, states, start)
        return None, to_keep, to_new, back[0] * to_new[0] if ctx.needs_input_grad[3] else None


def products_with_before(gradient: Tensor, states: Tensor, start: Tensor) -> Tensor:
    """The gradient of each step's factor: that of its sum times the conjugate state before it, (T, B, H)."""
    found = torch.empty_like(gradient)
    torch.mul(gradient[0], start.conj(), out=found[0])
    torch.mul(gradient[1:], states[:-1].conj(), out=found[1:])
    return found


def sum_of_products(gradient: Tensor, states: Tensor, start: Tensor) -> Tensor:
    """The sum of `products_with_before` over all steps and rows (H,), of some steps at a time."""
    found = (gradient[0] * start.conj()).sum(0)
    for some, before in zip(gradient[1:].split(SOME), states[:-1].split(SOME), strict=True):
        found += (some * before.conj()).sum((0, 1))
    return found


class IndependentSequence(Function):
    """h_t = max(0, x_t + u * h_{t-1}) for all steps: ``projected`` inputs x (T, B, H), a state (B, H) and u (H,)."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
        outputs, before = torch.empty_like(projected), hidden
        for inputs, output in zip(projected.unbind(), outputs.unbind(), strict=True):
            before = torch.addcmul(inputs, weight, before, out=output).relu_()
        ctx.save_for_backward(outputs, hidden, weight)
        return outputs

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Gradients:
        check_first_derivative("a sequence of the independently recurrent network", REMEDY)
        outputs, hidden, weight = ctx.saved_tensors
        active = outputs > 0
        to_projected = recurrence_back(active * weight, *grad_outputs).mul_(active)
        return to_projected, weight * to_projected[0], sum_of_products(to_projected, outputs, hidden)


def recurrence(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The states (T, B, H) after each step, in the form that the device is fast with."""
    return (by_loop if new.device.type == "cpu" else by_doubling)(keep, new, start)


def recurrence_back(keep: Tensor, gradient: Tensor) -> Tensor:
    """d_t = g_t + a_{t+1} * d_{t+1}, from the last step to the first: a and g (T, B, H) to d."""
    return (back_by_loop if gradient.device.type == "cpu" else back_by_doubling)(keep, gradient)


def by_loop(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The recurrence step by step, one kernel each."""
    states, before = torch.empty_like(new, memory_format=torch.contiguous_format), start
    for factor, term, state in zip(keep.unbind(), new.unbind(), states.unbind(), strict=True):
        before = torch.addcmul(term, factor, before, out=state)
    return states


def back_by_loop(keep: Tensor, gradient: Tensor) -> Tensor:
    """`recurrence_back` step by step."""
    found = torch.empty_like(gradient, memory_format=torch.contiguous_format)
    factors, given, carried = keep.unbind(), gradient.unbind(), found.unbind()
    carried[-1].copy_(given[-1])
    for time in range(len(given) - 2, -1, -1):
        torch.addcmul(given[time], factors[time + 1], carried[time + 1], out=carried[time])
    return found


def by_doubling(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The recurrence in log2(T) rounds over all steps (Hillis and Steele 1986): each joins pairs of twice as many steps.

    Two steps in a row are one with the factor a_2 * a_1 and the term a_2 * b_1 + b_2.
    """
    states, factors, reach = torch.cat([torch.addcmul(new[:1], keep[:1], start), new[1:]]), keep, 1
    while reach < len(new):
        states = torch.cat([states[:reach], torch.addcmul(states[reach:], factors[reach:], states[:-reach])])
        factors = torch.cat([factors[:reach], factors[reach:] * factors[:-reach]])
        reach *= 2
    return states


def back_by_doubling(keep: Tensor, gradient: Tensor) -> Tensor:
    """`recurrence_back` in log2(T) rounds."""
    later = torch.cat([torch.zeros_like(keep[:1]), keep[1:].flip(0)])
    return by_doubling(later, gradient.flip(0), torch.zeros_like(gradient[0])).flip(0)


BY_DEVICE = Forms(recurrence, recurrence_back)


def scan(keep: Tensor, new: Tensor, start: Tensor, forms: Forms = BY_DEVICE) -> Tensor:
    """h_t = a_t * h_{t-1} + b_t: a (T, B, H) or (H,), b (T, B, H) and the state before them (B, H) to the states (T, B, H)."""
    states: Any = LinearScan.apply(forms, keep, new, start)
    return states


def single_step(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """As `scan`, of one step and differentiable any number of times."""
    return torch.addcmul(new, keep, start)
