"""Connectionist temporal classification: labels without their times (Graves et al. 2006).

Pure functions of ``(log_probs, lengths)``: a loss, two ways to read labels off, and when each label is said.
"""

from .decoding import Fusion, Transcripts, greedy, prefix_beam_search
from .lattice import Alignment, ctc_align
from .loss import ctc_loss, feasible

__all__ = ["Alignment", "Fusion", "Transcripts", "ctc_align", "ctc_loss", "feasible", "greedy", "prefix_beam_search"]
