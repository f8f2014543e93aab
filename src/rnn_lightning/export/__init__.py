"""Trained systems written down as graphs of tensors, for `onnxruntime`, `torch.export` and others."""

from .folders import EXPORT, FORMATS, export_run
from .parity import PARITY, ParityError

__all__ = ["EXPORT", "FORMATS", "PARITY", "ParityError", "export_run"]
