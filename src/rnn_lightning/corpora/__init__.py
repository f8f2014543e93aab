"""Published and generated corpora: from the Hub or a seed to arrays on disk, with a card that tells what they are."""

from rnn_lightning.corpora.adding import Adding
from rnn_lightning.corpora.columns import TaggedFiles
from rnn_lightning.corpora.copying import Copying
from rnn_lightning.corpora.corpus import SPLITS, Corpus, CorpusError, Pairs, Stream
from rnn_lightning.corpora.dates import Dates
from rnn_lightning.corpora.foresight import Foresight
from rnn_lightning.corpora.handwriting import Handwriting
from rnn_lightning.corpora.hub import HubSource, fetch_from_hub
from rnn_lightning.corpora.images import Images
from rnn_lightning.corpora.labelled_text import LabelledText
from rnn_lightning.corpora.nested import Nested
from rnn_lightning.corpora.pen_digits import PenDigits
from rnn_lightning.corpora.series import Series
from rnn_lightning.corpora.speech import FramewiseSpeech, SpokenClasses, TranscribedSpeech
from rnn_lightning.corpora.tagging import Tagging
from rnn_lightning.corpora.text import Text
from rnn_lightning.corpora.translation import Translation

__all__ = [
    "SPLITS",
    "Adding",
    "Copying",
    "Corpus",
    "CorpusError",
    "Dates",
    "Foresight",
    "FramewiseSpeech",
    "Handwriting",
    "HubSource",
    "Images",
    "LabelledText",
    "Nested",
    "Pairs",
    "PenDigits",
    "Series",
    "SpokenClasses",
    "Stream",
    "TaggedFiles",
    "Tagging",
    "Text",
    "TranscribedSpeech",
    "Translation",
    "fetch_from_hub",
]
