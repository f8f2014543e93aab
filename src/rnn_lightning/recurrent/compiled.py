"""How layers with compiled steps (`kernels`) read a sequence, and go back through it, in chunks of steps.

The inputs of a chunk are multiplied with their weight just before its steps, and its gradients just after them, while both are
near the processor. No gradient but that of the inputs is there for more than a chunk.

Shapes: N rows of all steps together, as `Steps` has them, R rows of the first step, F features in, H hidden units, G gates.
Where all steps have all rows, N stands for two dimensions, T and B.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..products import laid_out, multiply, product
from .kernels import Sizes
from .steps import Steps, dense

FEW = 8
"""For fewer steps a weight is not laid out anew."""


class Layer(NamedTuple):
    """What a layer multiplies: its inputs (N, F), the hidden state at the start (R, H), W (G * H, F) and U (G * H, H); and what
    is added to W x."""

    inputs: Tensor
    start: Tensor
    weight: Tensor
    recurrent: Tensor
    bias: Tensor | None = None


def addresses(tensors: Sequence[Tensor | None]) -> list[int | None]:
    """Where the numbers of each tensor begin in memory."""
    for tensor in tensors:
        if tensor is not None and (tensor.dtype != torch.float32 or not tensor.is_contiguous() or tensor.is_neg()):
            form = f"{tensor.dtype} of shape {tuple(tensor.shape)} and strides {tensor.stride()}"
            raise RuntimeError(f"compiled steps read contiguous numbers in single precision, not {form}")
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]


def saved(ctx: Any) -> list[Tensor]:
    """What a forward pass has saved, of a `Layer` first; hooks of autograd may give it back with other strides."""
    inputs, start, weight, recurrent, *others = ctx.saved_tensors
    return [inputs, dense(start), weight, recurrent, *map(dense, others)]


def sequences(steps: Steps, layer: Layer, *widths: int) -> list[Tensor]:
    """Room for all steps: (N, width * H) for each of ``widths``."""
    units = layer.start.shape[1]
    return [layer.inputs.new_empty(*steps.shape, width * units) for width in widths]


def run(
    step: Callable[..., None], steps: Steps, layer: Layer, made: tuple[Tensor, Tensor], others: Sequence[Tensor] = ()
) -> None:
    """Run a forward ``step`` over all ``steps`` of a ``layer``.

    Two tensors are ``made``: the projected inputs W x + b (N, G * H), here, and the outputs (N, H), by the step. It takes the
    recurrent product, both of them and ``others``.
    """
    projected, outputs = (tensor.view(-1, tensor.shape[-1]) for tensor in made)
    begins, units, hidden = steps.begins, layer.start.shape[1], layer.start
    times, places = products_of_steps(layer.recurrent, hidden, len(steps.counts)), addresses([*made, *others])
    after = outputs.split(steps.counts)
    for part in steps.chunks:
        whole = projected[begins[part.start] : begins[part.stop]]
        multiply(steps.part(layer.inputs, part), layer.weight, whole)
        if layer.bias is not None:
            whole += layer.bias
        for time in range(part.start, part.stop):
            count = steps.counts[time]
            product_of_step = times(hidden if len(hidden) == count else hidden[:count])
            sizes = Sizes(begins[time], begins[time - 1] if time else -1, 0, count, count, units)
            step(sizes, *addresses([product_of_step]), *places)
            hidden = after[time]


def products_of_steps(weight: Tensor, rows: Tensor, steps: int) -> Callable[[Tensor], Tensor]:
    """Products of tensors like ``rows`` (R, I), once a step, with the transpose of ``weight`` (O, I)."""
    return laid_out(weight, rows) if steps >= FEW else partial(product, weight=weight)


class Back:
    """The way back through a ``layer``, chunk by chunk, and the gradients that come together on it.

    ``step`` takes the gradient that comes through the recurrent product, what comes from outside in a chunk, of the gradients
    ``given`` (N, H), the ``buffers`` of the chunk, of which the first is for the gradients of the recurrent products, what
    is ``kept``, and so many ``sums``, to which it adds the gradients of the vectors that all steps share. ``wanted`` says of
    which tensors of the layer a gradient is needed.
    """

    def __init__(self, steps: Steps, layer: Layer, wanted: Sequence[bool], given: Sequence[Tensor | None], sums: int) -> None:
        self.steps, self.layer, self.given = steps, layer, given
        self.sums = layer.inputs.new_zeros(sums)
        inputs, _, weight, recurrent = wanted
        self.to_inputs = torch.empty_like(layer.inputs) if inputs else None
        self.to_start = torch.zeros_like(layer.start)
        self.to_weight = torch.zeros_like(layer.weight) if weight else None
        self.to_recurrent = torch.zeros_like(layer.recurrent) if recurrent else None

    def buffers(self, *widths: int) -> list[Tensor]:
        """Room for gradients of a chunk: (rows, width) for each of ``widths``."""
        return [self.layer.inputs.new_empty(self.steps.widest, width) for width in widths]

    def chunks(
        self, step: Callable[..., None], buffers: Sequence[Tensor], kept: Sequence[Tensor], outputs: Tensor
    ) -> Iterator[tuple[slice, list[Tensor]]]:
        """Go back through a chunk, from the last to the first, and give its steps and its gradients, which are the buffers'."""
        steps, begins, sums = self.steps, self.steps.begins, torch.empty_like(self.sums)
        times = products_of_steps(self.layer.recurrent.t(), buffers[0][: self.layer.start.shape[0]], len(steps.counts))
        places, from_after, after, units = addresses([*buffers, *kept, sums]), None, 0, self.layer.start.shape[1]
        for part in reversed(steps.chunks):
            parts = [None if gradient is None else steps.part(gradient, part) for gradient in self.given]
            given = addresses(parts)
            found = [buffer[: begins[part.stop] - begins[part.start]] for buffer in buffers]
            of_steps = found[0].split(steps.counts[part])
            sums.zero_()
            for time in range(part.stop - 1, part.start - 1, -1):
                count, slot = steps.counts[time], begins[time] - begins[part.start]
                sizes = Sizes(begins[time], begins[time - 1] if time else -1, slot, count, after, units)
                step(sizes, *addresses([from_after]), *given, *places)
                from_after, after = times(of_steps[time - part.start]), count
            self.sums += sums
            if self.to_recurrent is not None:
                self._add_recurrent(self.to_recurrent, found[0], part, outputs)
            yield part, found
        if from_after is not None:
            self.to_start = from_after

    def _add_recurrent(self, into: Tensor, to_products: Tensor, part: slice, outputs: Tensor) -> None:
        """Add what a chunk gives to the gradient of the recurrent weight; the state before the first step is the start."""
        before = self.steps.before(outputs, part)
        at_first = len(to_products) - len(before)
        multiply_add(into, to_products[at_first:], before)
        if at_first:
            multiply_add(into, to_products[:at_first], self.layer.start)

    def add_projected(self, part: slice, to_projected: Tensor) -> None:
        """Add what a chunk's gradient of the projected inputs gives to those of the inputs and of their weight."""
        if self.to_inputs is not None:
            self.steps.write(self.to_inputs, part, product(to_projected, self.layer.weight.t()))
        if self.to_weight is not None:
            multiply_add(self.to_weight, to_projected, self.steps.part(self.layer.inputs, part))


def multiply_add(into: Tensor, left: Tensor, right: Tensor) -> None:
    """Add the sum over all rows of left (rows, O) times right (rows, I) to ``into`` (O, I)."""
    multiply(left.t(), right.t(), into, add=True)
