"""Connectionist temporal classification: labels without their times (Graves et al. 2006).

Pure functions of ``(log_probs, lengths)``: the loss, greedy and beam decoding, and forced alignment.
"""

from .decoding import Transcripts, ctc_beam_search, ctc_greedy
from .lattice import Alignment, ctc_align
from .loss import ctc_loss, feasible
from .prefixes import ShallowFusion

__all__ = ["Alignment", "ShallowFusion", "Transcripts", "ctc_align", "ctc_beam_search", "ctc_greedy", "ctc_loss", "feasible"]
