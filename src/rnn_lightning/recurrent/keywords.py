"""Networks, or keywords of `build_network` in their place: what they say before one is built."""

from typing import Any

from ..checks import check_counts, shown
from .contract import Recurrent


def is_network(rnn: object) -> bool:
    """Whether ``rnn`` is a network already, and not the keywords of one."""
    return isinstance(rnn, Recurrent)


def with_defaults(rnn: Any, defaults: Any) -> Any:
    """The keywords ``rnn``, with those of ``defaults`` that it does not set; what is no keywords, as it is."""
    if not isinstance(defaults, dict):
        raise ValueError(f"rnn must be a dict of keywords of build_network, not {shown(defaults)}")
    return {**defaults, **(rnn or {})} if rnn is None or isinstance(rnn, dict) else rnn


def output_size_of(rnn: dict[str, Any] | Recurrent) -> int:
    """The features that the network ``rnn``, or one of these keywords, makes; 0 where they do not say."""
    if isinstance(rnn, Recurrent):
        return rnn.output_size
    size = rnn.get("hidden_size", 0)
    check_counts(least=0, hidden_size=size)
    return size * (2 if rnn.get("bidirectional") is True else 1)
