"""Conditional random fields over tags."""

from .field import LinearChainCRF, Paths

__all__ = ["LinearChainCRF", "Paths"]
