"""Constraints of a search in NumPy, as the rules and required phrases of `rnn_lightning.search` have them.

Shapes: R rows (open hypotheses) of a source, V tokens.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..items.searches import Spelled, contains
from .session import Array

Tokens = Sequence[int]


def constrain(log_probs: Array, hypotheses: Sequence[Tokens], spelled: Spelled) -> Array:
    """``log_probs`` (R, V) as the constraints leave them, but for required phrases; -inf where a token is ruled out."""
    allowed = log_probs.copy()
    for row, tokens in enumerate(hypotheses):
        for phrase in spelled.forbidden:
            if list(tokens[len(tokens) - len(phrase) + 1 :]) == list(phrase[:-1]) and len(tokens) >= len(phrase) - 1:
                allowed[row, phrase[-1]] = -np.inf
        if (size := spelled.no_repeated_ngrams) is not None:
            allowed[row, repeating(tokens, size)] = -np.inf
        if spelled.repetition_penalty is not None:
            said = list(set(tokens))
            allowed[row, said] *= np.float32(spelled.repetition_penalty)
        if len(tokens) < len(spelled.prefix):
            forced = spelled.prefix[len(tokens)]
            kept = allowed[row, forced]
            allowed[row] = -np.inf
            allowed[row, forced] = kept
    return allowed


def repeating(tokens: Tokens, size: int) -> list[int]:
    """The tokens that would repeat ``size`` of the ``tokens`` in a row."""
    last = list(tokens[len(tokens) - size + 1 :])
    starts = range(len(tokens) - size + 1) if len(tokens) >= size else range(0)
    return [tokens[start + size - 1] for start in starts if list(tokens[start : start + size - 1]) == last]


class Continued(NamedTuple):
    """A continuation of a hypothesis: its rank, the row that it extends, by which token."""

    rank: float
    row: int
    token: int


def matched(tokens: Tokens, phrase: Tokens) -> int:
    """How many tokens of a required ``phrase`` there are: all where it is complete, else how many of its first ones the
    ``tokens`` end with."""
    if contains(tokens, phrase):
        return len(phrase)
    return max(
        size for size in range(min(len(phrase), len(tokens) + 1)) if list(tokens[len(tokens) - size :]) == list(phrase[:size])
    )


def progress(tokens: Tokens, required: Sequence[Tokens]) -> int:
    """The number of required tokens: of complete phrases, and of the longest beginning of an incomplete one."""
    lengths = [(matched(tokens, phrase), len(phrase)) for phrase in required]
    return sum(have for have, all_ in lengths if have == all_) + max((have for have, all_ in lengths if have < all_), default=0)


def select_required(
    sums: Array, hypotheses: Sequence[Tokens], best: Sequence[Continued], required: Sequence[Tokens], width: int
) -> list[Continued]:
    """Dynamic beam allocation, see `rnn_lightning.search.required`: ``width`` continuations of all banks, the fullest first.

    ``sums`` (R, V) rank continuations, -inf for the token that ends one; ``best`` are the best of all.
    """
    candidates = {(each.row, each.token): each for each in best}
    for row, tokens in enumerate(hypotheses):
        next_tokens = {phrase[have] for phrase in required if (have := matched(tokens, phrase)) < len(phrase)}
        for token in (int(sums[row].argmax()), *next_tokens):
            candidates[row, token] = Continued(float(sums[row, token]), row, token)
    alive = sorted((each for each in candidates.values() if each.rank > -np.inf), key=lambda each: -each.rank)
    counts: dict[int, int] = {}
    keyed = []
    for each in alive:
        bank = progress([*hypotheses[each.row], each.token], required)
        keyed.append((counts.get(bank, 0), -bank, each))
        counts[bank] = counts.get(bank, 0) + 1
    return [each for _, _, each in sorted(keyed, key=lambda one: one[:2])[:width]]
