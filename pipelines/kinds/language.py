"""Language models in the pipeline: their own metrics are all that is measured."""

from pipelines.kinds.base import Kind
from rnn_lightning import LanguageModel


class LanguageKind(Kind[LanguageModel]):
    predictor = "language"
