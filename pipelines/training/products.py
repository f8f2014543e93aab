"""The precision of float32 matrix products where the settings leave it to the machine: as fast as they go without rounding."""

import time
from typing import NamedTuple

import torch

from pipelines.settings.schema import Experiment

SIZE, LARGEST_ERROR, FEW_ROWS = 256, 1e-6, 4
"""Rows and columns of the product that is tried; its relative error; rows of batches whose products are slower in medium."""


class Products(NamedTuple):
    """A precision of ``torch.set_float32_matmul_precision``, and why it is that."""

    precision: str
    reason: str


def products_of(experiment: Experiment) -> Products:
    """The precision of matrix products: of the settings, or for ``auto`` what a check of this processor allows.

    ``medium`` lets PyTorch round to bfloat16. A processor without instructions for that product computes it in float32, and
    often in less time, since another library makes it; whether it does is seen from the result. What is decided depends on
    the processor, not on its load.
    """
    asked, rows = experiment.trainer.matmul_precision, (experiment.task.data.model_extra or {}).get("batch_size")
    if asked != "auto":
        return Products(asked, "as set")
    if experiment.trainer.accelerator != "cpu":
        return Products("highest", "a graphics processor rounds to less than float32")
    if rows is not None and rows <= FEW_ROWS:
        return Products("highest", f"products of {rows} rows are slower in medium precision")
    error, gain = measure_medium()
    reason = f"a product in medium precision has a relative error of {error:.1e}, and takes {1 / gain:.2f} of the time"
    return Products("medium" if error < LARGEST_ERROR else "highest", reason)


def measure_medium() -> tuple[float, float]:
    """The relative error of a float32 product in medium precision, and how much faster it is than in the highest."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(SIZE, SIZE, generator=generator) for _ in range(2))
    before, taken, products = torch.get_float32_matmul_precision(), {}, {}
    for precision in ("highest", "medium"):
        torch.set_float32_matmul_precision(precision)
        products[precision] = left @ right
        taken[precision] = min(_seconds(left, right) for _ in range(5))
    torch.set_float32_matmul_precision(before)
    exact = left.double() @ right.double()
    error = (products["medium"] - exact).norm() / exact.norm()
    return error.item(), taken["highest"] / taken["medium"]


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    began = time.perf_counter()
    torch.mm(left, right)
    return time.perf_counter() - began
