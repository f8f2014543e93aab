"""Systems without their training: networks that read batches and answer, with neither Lightning nor metrics."""

from .ctc_recognizer import CTCRecognizer
from .forecaster import Forecaster
from .frame_classifier import FrameClassifier
from .language_model import LanguageModel
from .model import Model, load_model
from .seq2seq import Seq2Seq
from .sequence_classifier import SequenceClassifier
from .sequence_regressor import SequenceRegressor
from .tagger import Tagger
from .transducer import Transducer

__all__ = [
    "CTCRecognizer",
    "Forecaster",
    "FrameClassifier",
    "LanguageModel",
    "Model",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceRegressor",
    "Tagger",
    "Transducer",
    "load_model",
]
