"""Conditional random fields over tags."""

from .field import LinearChainCRF, TagPaths

__all__ = ["LinearChainCRF", "TagPaths"]
