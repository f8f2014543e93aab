"""Files on disk to batches."""

from .module import SequenceModule
from .pairs import PairModule
from .streams import StreamModule
from .windows import WindowModule

__all__ = ["PairModule", "SequenceModule", "StreamModule", "WindowModule"]
