"""Recurrent networks as LightningModules, and what it takes to compare them fairly.

Public names are imported when they are first used (PEP 562), so that what needs no network does not wait for PyTorch.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # the same names for type checkers, which a test holds equal to _ROOMS
    from .back_off import BackOffNGram as BackOffNGram
    from .budget import count_parameters as count_parameters
    from .budget import flops_per_step as flops_per_step
    from .budget import hidden_size_for as hidden_size_for
    from .crf import LinearChainCRF as LinearChainCRF
    from .crf import TagPaths as TagPaths
    from .ctc import Alignment as Alignment
    from .ctc import ShallowFusion as ShallowFusion
    from .ctc import Transcripts as Transcripts
    from .ctc import ctc_align as ctc_align
    from .ctc import ctc_beam_search as ctc_beam_search
    from .ctc import ctc_greedy as ctc_greedy
    from .ctc import ctc_loss as ctc_loss
    from .data import PairModule as PairModule
    from .data import StreamModule as StreamModule
    from .data import WindowModule as WindowModule
    from .inference import prepared as prepared
    from .laws import LawBroken as LawBroken
    from .laws import check_invariance as check_invariance
    from .metrics import SpanF1 as SpanF1
    from .ngram import NGram as NGram
    from .predictors import Predictor as Predictor
    from .predictors import load_predictor as load_predictor
    from .recurrent import CELLS as CELLS
    from .recurrent import Recurrent as Recurrent
    from .recurrent import build_network as build_network
    from .sequences import IGNORED as IGNORED
    from .sequences import Batch as Batch
    from .sequences import State as State
    from .systems import AtomicCheckpointIO as AtomicCheckpointIO
    from .systems import CTCRecognizer as CTCRecognizer
    from .systems import Durable as Durable
    from .systems import Forecaster as Forecaster
    from .systems import FrameClassifier as FrameClassifier
    from .systems import LanguageModel as LanguageModel
    from .systems import Seq2Seq as Seq2Seq
    from .systems import SequenceClassifier as SequenceClassifier
    from .systems import SequenceRegressor as SequenceRegressor
    from .systems import System as System
    from .systems import Tagger as Tagger
    from .systems import Transducer as Transducer
    from .systems import WeightAverage as WeightAverage
    from .tag_schemes import Constraints as Constraints
    from .tag_schemes import Span as Span
    from .tag_schemes import span_constraints as span_constraints
    from .tag_schemes import spans_of as spans_of
    from .transducer import transducer_loss as transducer_loss

_ROOMS = {
    "back_off": "BackOffNGram",
    "budget": "count_parameters flops_per_step hidden_size_for",
    "crf": "LinearChainCRF TagPaths",
    "ctc": "Alignment ShallowFusion Transcripts ctc_align ctc_beam_search ctc_greedy ctc_loss",
    "data": "PairModule StreamModule WindowModule",
    "inference": "prepared",
    "laws": "LawBroken check_invariance",
    "metrics": "SpanF1",
    "ngram": "NGram",
    "predictors": "Predictor load_predictor",
    "recurrent": "CELLS Recurrent build_network",
    "sequences": "IGNORED Batch State",
    "systems": "AtomicCheckpointIO CTCRecognizer Durable Forecaster FrameClassifier LanguageModel "
    "Seq2Seq SequenceClassifier SequenceRegressor System Tagger Transducer WeightAverage",
    "transducer": "transducer_loss",
    "tag_schemes": "Constraints Span span_constraints spans_of",
}
"""Each room of the library with the public names that it gives to the package."""

OLD_NAMES = {
    "Fusion": "ShallowFusion",
    "Paths": "TagPaths",
    "greedy": "ctc_greedy",
    "compressed": "prepared",
    "prefix_beam_search": "ctc_beam_search",
}
"""Deprecated names, importable for one more release, with those that replace them."""

_ROOM_OF = dict(sorted((name, room) for room, names in _ROOMS.items() for name in names.split()))
__all__ = list(_ROOM_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """The public object of that name, imported from its room."""
    if name in OLD_NAMES:
        warnings.warn(f"{__name__}.{name} is now {__name__}.{OLD_NAMES[name]}", DeprecationWarning, stacklevel=2)
        name = OLD_NAMES[name]
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
