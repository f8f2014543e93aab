"""Recurrent networks as LightningModules, and what it takes to compare them fairly.

Names are imported when they are first asked for, so that what needs no network (fetching a corpus, say) does not wait for one.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .budget import count_parameters, flops_per_step, hidden_size_for
    from .data import PairModule, StreamModule
    from .laws import LawBroken, check_invariance
    from .recurrent import CELLS, Recurrent
    from .sequences import IGNORED, Batch, State
    from .systems import AtomicCheckpointIO, Durable, LanguageModel, Seq2Seq, SequenceClassifier, System, Tagger

_ROOMS = {
    "budget": ("count_parameters", "flops_per_step", "hidden_size_for"),
    "data": ("PairModule", "StreamModule"),
    "laws": ("LawBroken", "check_invariance"),
    "recurrent": ("CELLS", "Recurrent"),
    "sequences": ("IGNORED", "Batch", "State"),
    "systems": ("AtomicCheckpointIO", "Durable", "LanguageModel", "Seq2Seq", "SequenceClassifier", "System", "Tagger"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "CELLS",
    "IGNORED",
    "AtomicCheckpointIO",
    "Batch",
    "Durable",
    "LanguageModel",
    "LawBroken",
    "PairModule",
    "Recurrent",
    "Seq2Seq",
    "SequenceClassifier",
    "State",
    "StreamModule",
    "System",
    "Tagger",
    "check_invariance",
    "count_parameters",
    "flops_per_step",
    "hidden_size_for",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
