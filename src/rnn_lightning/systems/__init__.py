"""Tasks as LightningModules."""

from .averaging import WeightAverage
from .checkpoints import AtomicCheckpointIO
from .ctc_recognizer import CTCRecognizer
from .durable import Durable
from .forecaster import Forecaster
from .frame_classifier import FrameClassifier
from .language_model import LanguageModel
from .seq2seq import Seq2Seq
from .sequence_classifier import SequenceClassifier
from .sequence_regressor import SequenceRegressor
from .system import System
from .tagger import Tagger
from .transducer import Transducer

__all__ = [
    "AtomicCheckpointIO",
    "CTCRecognizer",
    "Durable",
    "Forecaster",
    "FrameClassifier",
    "LanguageModel",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceRegressor",
    "System",
    "Tagger",
    "Transducer",
    "WeightAverage",
]
