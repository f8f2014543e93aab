"""Whole sequences of step-by-step cells with a backward pass of their own, instead of a graph of every step's operations.

What does not depend on the recurrence is computed for all steps at once: the derivatives of the gates, and the gradient of the
recurrent weight as one product. The backward pass cannot itself be differentiated.

Shapes: T steps, B rows, H hidden units; time comes first. Gates are in the order input, forget, output, candidate.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ..derivatives import check_first_derivative
from ..products import laid_out, product

Gradients = tuple[Tensor | None, ...]


class PeepholeSequence(Function):
    """The peephole LSTM over all steps, from its projected input (T, B, 4 H) and a state (B, H), (B, H).

    Gives the outputs and the memory cells after each step, (T, B, H) both. ``peepholes`` (3, H) are those of the input, forget
    and output gate.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        projected, hidden, cell, weight, peepholes = tensors
        ctx.set_materialize_grads(False)
        start, size, times_weight = (hidden, cell), cell.shape[1], laid_out(weight, hidden)
        gates, (outputs, cells, bounded) = projected.clone(), _sequences(projected, 3)
        early = gates[..., : 2 * size].unflatten(2, (2, size))
        by_step = [part.unbind() for part in (gates, early, *gates.split(size, 2), outputs, cells, bounded)]
        for all_gates, sees_before, in_gate, keep, out_gate, candidate, output, after, squashed in zip(*by_step, strict=True):
            all_gates.add_(times_weight(hidden))
            sees_before.addcmul_(peepholes[:2], cell.unsqueeze(1)).sigmoid_()
            torch.mul(keep, cell, out=after).addcmul_(in_gate, candidate.tanh_())
            out_gate.addcmul_(peepholes[2], after).sigmoid_()
            torch.mul(out_gate, torch.tanh(after, out=squashed), out=output)
            hidden, cell = output, after
        ctx.save_for_backward(gates, outputs, cells, bounded, *start, weight, peepholes)
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the peephole LSTM", REMEDY)
        gates, outputs, cells, bounded, hidden, cell, weight, peepholes = ctx.saved_tensors
        before = before_each(cells, cell)
        slopes, into_cell, keep = _slopes(gates, before, bounded)
        into_cell += slopes[:, :, 2] * peepholes[2]
        through_cell = keep + (slopes[:, :, :2] * peepholes[:2]).sum(2)
        on = _Carried(slopes, weight, *grad_outputs)
        for time in range(len(slopes) - 1, -1, -1):
            to_hidden, to_cell = on.hidden(time), on.cell(time)
            to_cell = torch.addcmul(to_cell, to_hidden, into_cell[time])
            slopes[time, :, :2].mul_(to_cell.unsqueeze(1))
            slopes[time, :, 2].mul_(to_hidden)
            slopes[time, :, 3].mul_(to_cell)
            on.to_cell = to_cell * through_cell[time]
        sums = [(slopes[:, :, gate] * seen).sum((0, 1)) for gate, seen in enumerate((before, before, cells))]
        to_gates, to_weight = slopes.flatten(2), on.to_weight(before_each(outputs, hidden))
        return to_gates, on.hidden(-1), on.to_cell, to_weight, torch.stack(sums)


class LayerNormSequence(Function):
    """The layer-normalised LSTM over all steps, from its projected input (T, B, 4 H) and a state (B, H), (B, H).

    Gives the outputs and the memory cells after each step, (T, B, H) both. The gains are those of the recurrent products (4 H)
    and, with a bias, of the memory cell (H).
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        projected, hidden, cell, weight, gain, cell_gain, bias = tensors
        ctx.set_materialize_grads(False)
        start, size, times_weight = (hidden, cell), cell.shape[1], laid_out(weight, hidden)
        gates, (outputs, cells, bounded) = projected.clone(), _sequences(projected, 3)
        products, moments = [], []
        by_step = [part.unbind() for part in (gates, gates[..., : 3 * size])]
        by_step += [part.unbind() for part in (*gates.split(size, 2), outputs, cells, bounded)]
        for all_gates, sigmoids, in_gate, keep, out_gate, candidate, output, after, squashed in zip(*by_step, strict=True):
            products.append(times_weight(hidden))
            normal, mean, deviation = torch.native_layer_norm(products[-1], gain.shape, gain, None, EPSILON)
            all_gates.add_(normal)
            sigmoids.sigmoid_()
            torch.mul(keep, cell, out=after).addcmul_(in_gate, candidate.tanh_())
            normal, cell_mean, cell_deviation = torch.native_layer_norm(after, bias.shape, cell_gain, bias, EPSILON)
            torch.mul(out_gate, torch.tanh(normal, out=squashed), out=output)
            moments.append(torch.stack([mean, deviation, cell_mean, cell_deviation]))
            hidden, cell = output, after
        ctx.save_for_backward(
            gates, torch.stack(products), torch.stack(moments), outputs, cells, bounded, *start, weight, gain, cell_gain, bias
        )
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor | None) -> Gradients:
        check_first_derivative("a sequence of the layer-normalised LSTM", REMEDY)
        gates, products, moments, outputs, cells, bounded, hidden, cell, weight, gain, cell_gain, _ = ctx.saved_tensors
        mean, deviation, cell_mean, cell_deviation = moments.unbind(1)
        slopes, into_normal, keep = _slopes(gates, before_each(cells, cell), bounded)
        to_products = torch.empty_like(products)
        on = _Carried(to_products, weight, *grad_outputs)
        for time in range(len(slopes) - 1, -1, -1):
            to_hidden, to_cell = on.hidden(time), on.cell(time)
            to_normal = into_normal[time].mul_(to_hidden)
            to_cell = to_cell + _through_norm(to_normal, cells[time], cell_mean[time], cell_deviation[time], cell_gain)
            slopes[time, :, :2].mul_(to_cell.unsqueeze(1))
            slopes[time, :, 2].mul_(to_hidden)
            slopes[time, :, 3].mul_(to_cell)
            to_products[time] = _through_norm(slopes[time].flatten(1), products[time], mean[time], deviation[time], gain)
            on.to_cell = to_cell * keep[time]
        to_gates = slopes.flatten(2)
        to_gain = (to_gates * ((products - mean) * deviation)).sum((0, 1))
        to_cell_gain = (into_normal * ((cells - cell_mean) * cell_deviation)).sum((0, 1))
        to_weight = on.to_weight(before_each(outputs, hidden))
        return to_gates, on.hidden(-1), on.to_cell, to_weight, to_gain, to_cell_gain, into_normal.sum((0, 1))


EPSILON = 1e-5


REMEDY = "set at_once = False on the layers of the network (rnn_lightning.recurrent.Unrolled, GRU, LSTM, Elman)"


class _Carried:
    """The gradients that the backward pass carries from step to step: of the output, by ``products``' gradients (T, B, G, H) or
    (T, B, G * H), and of the memory cell."""

    def __init__(self, products: Tensor, weight: Tensor, from_outputs: Tensor | None, from_cells: Tensor | None) -> None:
        self.products, self.weight = products.view(*products.shape[:2], -1), weight
        self.from_outputs, self.from_cells = from_outputs, from_cells
        self.to_cell = products.new_zeros(products.shape[1], weight.shape[1])

    def hidden(self, time: int) -> Tensor:
        """The gradient of the output (B, H) of the step ``time``; of the state at the start for -1."""
        given = self.from_outputs[time] if self.from_outputs is not None and time >= 0 else None
        if time + 1 == len(self.products):
            return torch.zeros_like(self.to_cell) if given is None else given
        found = product(self.products[time + 1], self.weight.t())
        return found if given is None else found.add_(given)

    def cell(self, time: int) -> Tensor:
        """The gradient of the memory cell (B, H) after the step ``time``, but for what comes through the output."""
        return self.to_cell if self.from_cells is None else self.to_cell + self.from_cells[time]

    def to_weight(self, before: Tensor) -> Tensor:
        """The gradient of the recurrent weight (G * H, H), from the outputs ``before`` each step (T, B, H)."""
        return product(self.products.flatten(0, 1).t(), before.flatten(0, 1).t())


def _slopes(gates: Tensor, before: Tensor, bounded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives of an LSTM at all steps, from its ``gates`` (T, B, 4 H), the memory cells ``before`` each step and the
    ``bounded`` ones after it, of which the output gate lets through a share.

    Those by what goes into the gates (T, B, 4, H): of the memory cell, for the output gate of the output; that of the output by
    what is bounded (T, B, H); and the forget gates (T, B, H).
    """
    in_gate, keep, out_gate, candidate = gates.chunk(4, 2)
    by_in, by_keep = candidate * in_gate * (1 - in_gate), before * keep * (1 - keep)
    by_out, by_candidate = bounded * out_gate * (1 - out_gate), in_gate * (1 - candidate * candidate)
    return torch.stack([by_in, by_keep, by_out, by_candidate], 2), out_gate * (1 - bounded * bounded), keep


def _sequences(like: Tensor, count: int) -> list[Tensor]:
    return [like.new_empty(*like.shape[:2], like.shape[2] // 4) for _ in range(count)]


def before_each(values: Tensor, start: Tensor) -> Tensor:
    """What was there before each step (T, B, H), from the ``values`` after each and the one at the ``start`` (B, H)."""
    return torch.cat([start.unsqueeze(0), values[:-1]])


def _through_norm(gradient: Tensor, inputs: Tensor, mean: Tensor, deviation: Tensor, gain: Tensor) -> Tensor:
    """The gradient of layer normalisation's inputs (B, N); ``deviation`` (B, 1) is one over the standard deviation."""
    shape, parts = inputs.shape[1:], [True, False, False]
    return torch.ops.aten.native_layer_norm_backward(gradient, inputs, shape, mean, deviation, gain, None, parts)[0]
