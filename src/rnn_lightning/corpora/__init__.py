"""Corpora: published, in local files or generated, to arrays on disk with a card that tells what they are."""

from .adding import Adding
from .columns import TaggedFiles
from .copying import Copying
from .corpus import SPLITS, Corpus, CorpusError, Pairs, Stream, TimeSeries, check_corpus
from .dates import Dates
from .forecasting import Forecasting
from .foresight import Foresight
from .handwriting import Handwriting
from .hub import HubSource, fetch_from_hub
from .images import Images
from .labelled_text import LabelledText
from .local import LocalSource
from .nested import Nested
from .parity import Parity
from .pen_digits import PenDigits
from .recalling import AssociativeRecall, SelectiveCopying
from .series import Series
from .speech import FramewiseSpeech, SpokenClasses, TranscribedSpeech
from .tagging import Tagging
from .text import Text
from .translation import Translation

__all__ = [
    "SPLITS",
    "Adding",
    "AssociativeRecall",
    "Copying",
    "Corpus",
    "CorpusError",
    "Dates",
    "Forecasting",
    "Foresight",
    "FramewiseSpeech",
    "Handwriting",
    "HubSource",
    "Images",
    "LabelledText",
    "LocalSource",
    "Nested",
    "Pairs",
    "Parity",
    "PenDigits",
    "SelectiveCopying",
    "Series",
    "SpokenClasses",
    "Stream",
    "TaggedFiles",
    "Tagging",
    "Text",
    "TimeSeries",
    "TranscribedSpeech",
    "Translation",
    "check_corpus",
    "fetch_from_hub",
]
