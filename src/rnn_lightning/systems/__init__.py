"""Tasks as LightningModules."""

from .durable import AtomicCheckpointIO, Durable
from .language_model import LanguageModel
from .sequence_classifier import SequenceClassifier
from .system import System

__all__ = ["AtomicCheckpointIO", "Durable", "LanguageModel", "SequenceClassifier", "System"]
