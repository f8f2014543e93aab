"""Files on disk to batches."""

from .module import SequenceModule
from .pairs import PairModule
from .streams import StreamModule

__all__ = ["PairModule", "SequenceModule", "StreamModule"]
