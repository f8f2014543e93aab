"""Beam search over any step. Shapes: B sentences, N rows (open hypotheses), V tokens, P hypotheses asked for."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..sequences import State
from .contract import (
    Bonus,
    Hypotheses,
    Rule,
    Step,
    check_counts,
    check_limits,
    check_start,
    distinct,
    nothing_found,
    trimmed,
)
from .frontier import Done, Frontier, Search
from .normalisation import Normalisation, Unnormalised
from .required import phrases_of
from .stop import Stop
from .trail import Backpointers


@torch.no_grad()
def beam_search(
    step: Step,
    state: State,
    first: Tensor,
    *,
    end: int,
    max_length: int | Tensor,
    min_length: int | Tensor = 1,
    beam_size: int = 5,
    n_best: int = 1,
    normalisation: Normalisation | None = None,
    stop: str = "exact",
    patience: float = 1.0,
    rules: Sequence[Rule] = (),
    required: Sequence[Sequence[Sequence[int]]] | None = None,
    bonus: Bonus | None = None,
    groups: int = 1,
    diversity: float = 0.0,
) -> Hypotheses:
    """The ``n_best`` best sequences that a beam finds for each sentence.

    In each step the ``beam_size`` likeliest continuations stay open. A sequence that ends leaves the beam for the finished
    ones, if it ranks before the last continuation that stays, and takes no place of an open one. A sequence of ``max_length``
    tokens ends there: ``end`` is the only last token. A beam of 1 that stops by "first" is greedy search; so is one that stops
    by "exact" where nothing is normalised.

    Args:
        step, state, first: the model, its state and the token (B,) that it reads first, a row for each sentence.
        end: the token that ends a sequence.
        max_length, min_length: tokens of a sequence, ``end`` included; one number, or one (B,) a sentence.
        normalisation: how scores of different lengths are made comparable; ``None``: they are left as they are.
        stop: when a sentence is done. "exact": when no open hypothesis can any more outrank the ``n_best``-th finished one, so
            that stopping costs nothing (``Normalisation`` says for which scores). "first": when there are ``n_best`` finished
            ones, the best of which outranks all open ones as they are. "patience": when ``patience`` times ``beam_size``, and
            no fewer than ``n_best``, have finished (Kasai et al. 2022, arXiv:2204.05424). Groups stop each for itself, by
            their own size.
        rules: what may be said, and at what price; see ``Rule``.
        required: for each sentence phrases, runs of one token or more, that its sequences must have in them.
        bonus: what a hypothesis gains as it ends; see ``Bonus``.
        groups: parts of the beam, each searched by itself but for ``diversity``; their results are merged.
        diversity: how much a token is set back in one group for each time that an earlier one goes on by it.

    Raises:
        ValueError: for a number outside its range, shapes that do not fit, or a step or bonus above zero.
        FloatingPointError: where ``step`` returns NaN.
    """
    check_start(first, state, end)
    check_counts(beam_size=beam_size, n_best=n_best, groups=groups)
    check_groups(beam_size, groups, diversity, shared=required is not None)
    limits = check_limits(min_length, max_length, first)
    search = Search(
        end=end,
        groups=groups,
        width=beam_size // groups,
        diversity=diversity,
        normalisation=Unnormalised() if normalisation is None else normalisation,
        stop=Stop(stop, patience, beam_size // groups),
        rules=tuple(rules),
        phrases=None if required is None else phrases_of(required, first, end),
        bonus=bonus,
    )
    if len(first) == 0:
        return nothing_found(first, n_best)
    found = run(search, step, search.start(state, first, limits, n_best))
    return trimmed(distinct(found, n_best), end) if groups > 1 else found


def run(search: Search, step: Step, frontier: Frontier) -> Hypotheses:
    """Step until no sentence is left; the P best of each group side by side."""
    trail, length = Backpointers(frontier.rows.tokens), 0
    left: list[Done] = []
    while len(frontier.rows.tokens):
        length += 1
        log_probs, state = step(frontier.rows.tokens, frontier.memory.state)
        frontier = frontier._replace(memory=frontier.memory._replace(state=state))
        frontier, done = search.advance(frontier, log_probs, trail, length)
        left += [] if done is None else [done]
    sentences, scores, nodes = (torch.cat(parts) for parts in zip(*left, strict=True))
    order = sentences.argsort()
    return trail.read(nodes[order].flatten(1), scores[order].flatten(1), search.end)


def check_groups(beam_size: int, groups: int, diversity: float, *, shared: bool) -> None:
    if beam_size % groups:
        raise ValueError(f"groups must divide beam_size, {beam_size}, which {groups} does not")
    if not 0 <= diversity < math.inf:
        raise ValueError(f"diversity must be a finite number of at least 0, not {diversity}")
    if shared and groups > 1:
        raise ValueError(f"required phrases share out the whole beam: they need groups to be 1, not {groups}")
