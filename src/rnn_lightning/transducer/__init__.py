"""The RNN transducer: labels without their times, each of which depends on those before (Graves 2012, arXiv:1211.3711)."""

from .decoding import Machine, transducer_beam_search, transducer_greedy
from .loss import transducer_loss

__all__ = ["Machine", "transducer_beam_search", "transducer_greedy", "transducer_loss"]
