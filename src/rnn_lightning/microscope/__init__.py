"""A microscope for memory: what a network keeps of earlier steps, after training or while it goes on."""

from .callback import Microscope
from .examine import Findings, examine, horizon
from .trace import jacobian

__all__ = ["Findings", "Microscope", "examine", "horizon", "jacobian"]
