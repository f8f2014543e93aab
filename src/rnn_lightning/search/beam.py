"""Beam search over any step.

In each step the ``beam_size`` likeliest continuations stay open. A sequence that ends leaves the beam for the finished ones, if
it ranks before the last continuation that stays; open ones do not lose their slot to it. A sequence of ``max_length`` tokens
ends there: ``end`` is the only last token. A beam of 1 that stops by "first" is greedy search; so is one that stops by "exact"
where nothing is normalised.

Shapes: B sentences, N rows (open hypotheses), V tokens, P hypotheses asked for.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_beam, check_counts, check_number
from ..sequences import State, Step, check_memory
from .backpointers import Backpointers
from .contract import (
    Bonus,
    Hypotheses,
    Rule,
    check_callables,
    check_limits,
    check_start,
    no_hypotheses,
    take,
    trim_padding,
    without_duplicates,
)
from .frontier import Done, Frontier, Search
from .normalisation import Normalisation, as_normalisation
from .required import phrase_tensors
from .stop import Stop


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
    """The ``n_best`` best sequences that a beam of ``beam_size`` hypotheses finds for each sentence.

    ``first`` (B,) are the tokens that the model reads first. ``max_length`` and ``min_length``, one number or (B,), count the
    token ``end``. ``stop`` and ``patience`` are those of `Stop`; `Normalisation`, `Rule` and `Bonus` are explained there.
    ``required`` are the phrases, of one token or more, that the sequences of each sentence must contain. ``groups`` divides the
    beam into parts that are searched independently and then merged, but that ``diversity`` is taken off a token's score for
    each hypothesis of an earlier group that continues with it.

    Raises:
        ValueError: for a number outside its range, shapes that do not fit, or a step or bonus above zero.
        FloatingPointError: where ``step`` returns NaN.
    """
    check_callables(step, rules, bonus)
    check_start(first, state, end)
    check_counts(beam_size=beam_size, n_best=n_best, groups=groups)
    check_groups(beam_size, groups, diversity, constrained=required is not None)
    limits, width = check_limits(min_length, max_length, first), beam_size // groups
    by = as_normalisation(normalisation)
    phrases = None if required is None else phrase_tensors(required, first, end)
    search = Search(end, groups, width, diversity, by, Stop(stop, patience, width), tuple(rules), phrases, bonus)
    return run(search, step, search.start(state, first, limits, n_best), n_best)


def run(search: Search, step: Step, frontier: Frontier, n_best: int) -> Hypotheses:
    """The ``n_best`` hypotheses of each sentence, after steps until the search has stopped for all."""
    first = frontier.beam.tokens
    if len(first) == 0:
        return no_hypotheses(first, n_best)
    backpointers, length = Backpointers(first), 0
    stopped: list[Done] = []
    while len(frontier.beam.tokens):
        length += 1
        log_probs, state = take(step, frontier.beam.tokens, frontier.state.model, search.end)
        if length == 1:
            check_memory(sentences=len(first), beam_size=search.groups * search.width, tokens=log_probs.shape[1])
        frontier = frontier._replace(state=frontier.state._replace(model=state))
        frontier, done = search.step(frontier, log_probs, backpointers, length)
        stopped += [] if done is None else [done]
    sentences, scores, entries = (torch.cat(parts) for parts in zip(*stopped, strict=True))
    order = sentences.argsort()
    hypotheses = backpointers.hypotheses(entries[order].flatten(1), scores[order].flatten(1), search.end)
    return trim_padding(without_duplicates(hypotheses, n_best), search.end) if search.groups > 1 else hypotheses


def check_groups(beam_size: int, groups: int, diversity: float, *, constrained: bool) -> None:
    """Check that the beam is not too large and divides into ``groups``, and into one only where phrases are required."""
    check_beam(beam_size)
    if beam_size % groups:
        raise ValueError(f"groups must divide beam_size, {beam_size}, which {groups} does not")
    check_number("diversity", diversity, least=0)
    if constrained and groups > 1:
        raise ValueError(f"required phrases share out the whole beam: they need groups to be 1, not {groups}")
