"""Layers computed by the kernels of `rnn_lightning.kernels`, which are imported when a layer asks for them.

Shapes: T steps, B rows, H hidden units, G gates; time comes first.
"""

from collections.abc import Sequence

from torch import Tensor

from ..kernels import RECOMPUTE, check_usable
from .parallel import Forms


def sequence_by_kernel(name: str, backend: str, tensors: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The outputs and the states after each step (T, B, H) of the cell ``name`` of `rnn_lightning.kernels.cells`.

    ``tensors`` are the projected inputs (T, B, G * H), of the type of the outputs, the recurrent weight, the hidden state and
    memories (B, H) at the start, of the types of the states, and what all steps share.
    """
    check_usable(tensors[0].device, backend)
    from ..kernels import cells
    from ..kernels.sequences import by_kernel

    found = by_kernel(getattr(cells, name), tensors, keeps=backend != RECOMPUTE)
    return found[0], tuple(part.to(start.dtype) for part, start in zip(found, tensors[2:], strict=False))


def scan_by_kernel(backend: str, inputs: Tensor) -> Forms:
    """The forms of a scan by that ``backend``, for what is computed of ``inputs``."""
    check_usable(inputs.device, backend)
    from ..kernels.linear_scan import back_by_kernel, by_kernel

    return Forms(by_kernel, back_by_kernel)
