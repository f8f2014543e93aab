"""Search over any step function."""

from ..sequences import Step
from .beam import beam_search
from .contract import Bonus, Hypotheses, Open, Rule
from .ensemble import ensemble
from .exhaustive import exhaustive_search, search_error_rate
from .fusion import shallow_fusion
from .normalisation import (
    NORMALISATIONS,
    GNMTLength,
    LengthPower,
    LengthReward,
    Normalisation,
    Unnormalised,
    make_normalisation,
)
from .rules import BannedPhrases, ForcedPrefix, NoRepeatedNgrams, RepetitionPenalty
from .sampling import sample
from .scoring import score

__all__ = [
    "NORMALISATIONS",
    "BannedPhrases",
    "Bonus",
    "ForcedPrefix",
    "GNMTLength",
    "Hypotheses",
    "LengthPower",
    "LengthReward",
    "NoRepeatedNgrams",
    "Normalisation",
    "Open",
    "RepetitionPenalty",
    "Rule",
    "Step",
    "Unnormalised",
    "beam_search",
    "ensemble",
    "exhaustive_search",
    "make_normalisation",
    "sample",
    "score",
    "search_error_rate",
    "shallow_fusion",
]
