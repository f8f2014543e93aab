"""Recurrent networks as LightningModules, and what it takes to compare them fairly.

Names are imported when they are first asked for, so that what needs no network (fetching a corpus, say) does not wait for one.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .budget import count_parameters, flops_per_step, hidden_size_for
    from .compress import compressed
    from .crf import LinearChainCRF, TagPaths
    from .ctc import Alignment, ShallowFusion, Transcripts, ctc_align, ctc_beam_search, ctc_greedy, ctc_loss
    from .data import PairModule, StreamModule
    from .laws import LawBroken, check_invariance
    from .metrics import Span, SpanF1, spans_of
    from .ngram import NGram
    from .predictors import Predictor, load_predictor
    from .recurrent import CELLS, Recurrent
    from .sequences import IGNORED, Batch, State
    from .systems import (
        AtomicCheckpointIO,
        CTCRecognizer,
        Durable,
        FrameClassifier,
        LanguageModel,
        Seq2Seq,
        SequenceClassifier,
        System,
        Tagger,
    )
    from .tag_schemes import Constraints, span_constraints

_ROOMS = {
    "budget": ("count_parameters", "flops_per_step", "hidden_size_for"),
    "compress": ("compressed",),
    "crf": ("LinearChainCRF", "TagPaths"),
    "ctc": ("Alignment", "ShallowFusion", "Transcripts", "ctc_align", "ctc_loss", "ctc_greedy", "ctc_beam_search"),
    "data": ("PairModule", "StreamModule"),
    "laws": ("LawBroken", "check_invariance"),
    "metrics": ("Span", "SpanF1", "spans_of"),
    "ngram": ("NGram",),
    "predictors": ("Predictor", "load_predictor"),
    "recurrent": ("CELLS", "Recurrent"),
    "sequences": ("IGNORED", "Batch", "State"),
    "systems": (
        "AtomicCheckpointIO",
        "CTCRecognizer",
        "Durable",
        "FrameClassifier",
        "LanguageModel",
        "Seq2Seq",
        "SequenceClassifier",
        "System",
        "Tagger",
    ),
    "tag_schemes": ("Constraints", "span_constraints"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "CELLS",
    "IGNORED",
    "Alignment",
    "AtomicCheckpointIO",
    "Batch",
    "CTCRecognizer",
    "Constraints",
    "Durable",
    "FrameClassifier",
    "LanguageModel",
    "LawBroken",
    "LinearChainCRF",
    "NGram",
    "PairModule",
    "Predictor",
    "Recurrent",
    "Seq2Seq",
    "SequenceClassifier",
    "ShallowFusion",
    "Span",
    "SpanF1",
    "State",
    "StreamModule",
    "System",
    "TagPaths",
    "Tagger",
    "Transcripts",
    "check_invariance",
    "compressed",
    "count_parameters",
    "ctc_align",
    "ctc_beam_search",
    "ctc_greedy",
    "ctc_loss",
    "flops_per_step",
    "hidden_size_for",
    "load_predictor",
    "span_constraints",
    "spans_of",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
