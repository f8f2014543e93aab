"""How layers with compiled steps (`kernels`) read a sequence, and go back through it, in chunks of steps.

The inputs of a chunk are multiplied with their weight just before its steps, and its gradients just after them, while both are
near the processor. No gradient but that of the inputs is there for more than a chunk.

Shapes: T steps, S steps of a chunk, B rows, F features in, H hidden units, G gates; time comes first.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ..products import laid_out, multiply, product
from .kernels import Sizes

ROWS = 256
"""The rows of all steps of a chunk together, where there are so many."""
FEW = 8
"""For fewer steps a weight is not laid out anew."""


class Layer(NamedTuple):
    """What a layer multiplies: its inputs (T, B, F), the hidden state at the start (B, H), W (G * H, F) and U (G * H, H)."""

    inputs: Tensor
    start: Tensor
    weight: Tensor
    recurrent: Tensor


def chunks(steps: int, rows: int) -> list[slice]:
    """The steps of each chunk."""
    size = -(-ROWS // max(1, rows))
    return [slice(begin, min(begin + size, steps)) for begin in range(0, steps, size)]


def addresses(tensors: Sequence[Tensor | None]) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]


def run(
    step: Callable[..., None], layer: Layer, bias: Tensor | None, made: tuple[Tensor, Tensor], others: Sequence[Tensor] = ()
) -> None:
    """Run a forward ``step`` over all steps of a ``layer``.

    Two tensors are ``made``: the projected inputs W x + ``bias`` (T, B, G * H), here, and the outputs, by the step. It takes
    the recurrent product, both of them and ``others``.
    """
    (steps, rows, features), hidden, (projected, outputs) = layer.inputs.shape, layer.start, made
    times, places = products_of_steps(layer.recurrent, hidden, steps), addresses([*made, *others])
    for part in chunks(steps, rows):
        whole = projected[part].flatten(0, 1)
        multiply(layer.inputs[part].reshape(-1, features), layer.weight, whole)
        if bias is not None:
            whole += bias
        for time in range(part.start, part.stop):
            product_of_step = times(hidden)
            step(Sizes(time, 0, *hidden.shape), product_of_step.data_ptr(), *places)
            hidden = outputs[time]


def products_of_steps(weight: Tensor, rows: Tensor, steps: int) -> Callable[[Tensor], Tensor]:
    """Products of tensors like ``rows`` (B, I), once a step, with the transpose of ``weight`` (O, I)."""
    return laid_out(weight, rows) if steps >= FEW else partial(product, weight=weight)


class Back:
    """The way back through a ``layer``, chunk by chunk, and the gradients that come together on it.

    ``step`` takes the gradient that comes through the recurrent product, what comes from outside in a chunk, of the gradients
    ``given`` (T, B, H), the ``buffers`` of the chunk, of which the first is for the gradients of the recurrent products, what
    is ``kept``, and so many ``sums``, to which it adds the gradients of the vectors that all steps share. ``wanted`` says of
    which tensors of the layer a gradient is needed.
    """

    def __init__(
        self, step: Callable[..., None], layer: Layer, wanted: Sequence[bool], given: Sequence[Tensor | None], sums: int
    ) -> None:
        self.step, self.layer, self.given = step, layer, given
        self.sums = layer.inputs.new_zeros(sums)
        inputs, _, weight, recurrent = wanted
        self.to_inputs = torch.empty_like(layer.inputs) if inputs else None
        self.to_start: Tensor | None = None
        self.to_weight = torch.zeros_like(layer.weight) if weight else None
        self.to_recurrent = torch.zeros_like(layer.recurrent) if recurrent else None

    def buffers(self, *widths: int) -> list[Tensor]:
        """Room for gradients of a chunk: (S, B, width) for each of ``widths``."""
        steps, rows, _ = self.layer.inputs.shape
        return [self.layer.inputs.new_empty(chunks(steps, rows)[0].stop, rows, width) for width in widths]

    def chunks(
        self, buffers: Sequence[Tensor], kept: Sequence[Tensor], outputs: Tensor
    ) -> Iterator[tuple[slice, list[Tensor]]]:
        """Go back through a chunk, from the last to the first, and give its steps and its gradients, which are the buffers'."""
        (steps, rows, _), sums = self.layer.inputs.shape, torch.empty_like(self.sums)
        times, from_after = products_of_steps(self.layer.recurrent.t(), buffers[0][0], steps), None
        places = addresses([*buffers, *kept, sums])
        for part in reversed(chunks(steps, rows)):
            given = [None if gradient is None else gradient[part].contiguous() for gradient in self.given]
            sums.zero_()
            for time in range(part.stop - 1, part.start - 1, -1):
                sizes = Sizes(time, time - part.start, *self.layer.start.shape)
                self.step(sizes, *addresses([from_after, *given]), *places)
                from_after = times(buffers[0][time - part.start])
            self.sums += sums
            found = [buffer[: part.stop - part.start] for buffer in buffers]
            if self.to_recurrent is not None:
                self._add_recurrent(
                    self.to_recurrent, found[0], outputs[max(part.start - 1, 0) : part.stop - 1], part.start == 0
                )
            yield part, found
        self.to_start = from_after

    def _add_recurrent(self, into: Tensor, to_products: Tensor, before: Tensor, is_first: bool) -> None:
        """Add what a chunk gives to the gradient of the recurrent weight; the state ``before`` the first step is the start."""
        multiply_add(into, to_products[1:] if is_first else to_products, before)
        if is_first:
            multiply_add(into, to_products[:1], self.layer.start.unsqueeze(0))

    def add_projected(self, part: slice, to_projected: Tensor) -> None:
        """Add what a chunk's gradient of the projected inputs gives to those of the inputs and of their weight."""
        if self.to_inputs is not None:
            found = product(to_projected.flatten(0, 1), self.layer.weight.t())
            self.to_inputs[part] = found.unflatten(0, to_projected.shape[:2])
        if self.to_weight is not None:
            multiply_add(self.to_weight, to_projected, self.layer.inputs[part])


def multiply_add(into: Tensor, left: Tensor, right: Tensor) -> None:
    """Add the sum over all steps and rows of left (S, B, O) times right (S, B, I) to ``into`` (O, I)."""
    multiply(left.flatten(0, 1).t(), right.reshape(-1, right.shape[2]).t(), into, add=True)
