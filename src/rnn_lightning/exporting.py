"""What differs where `torch.export` writes a network down, for sizes that are not there yet."""

import torch
from torch import Tensor


def exportable(inputs: Tensor) -> Tensor:
    """``inputs``; under `torch.export` a contiguous copy, whose strides do not depend on whether a size is 1."""
    return inputs.clone(memory_format=torch.contiguous_format) if torch.compiler.is_exporting() else inputs
