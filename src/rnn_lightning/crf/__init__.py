"""Linear-chain conditional random fields over tags: likelihood, marginals and n-best decoding."""

from .field import LinearChainCRF, TagPaths

__all__ = ["LinearChainCRF", "TagPaths"]
