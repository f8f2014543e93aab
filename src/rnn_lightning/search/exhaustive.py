"""Exhaustive search: the best of all sequences, for problems small enough; a beam search is measured against it.

Shapes: B sentences, Q open prefixes of each, N = B * Q rows, V tokens, t tokens so far, T tokens of the longest sequence.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_counts, check_number
from ..sequences import State, Step, map_state
from .beam import beam_search
from .contract import (
    Bonus,
    Hypotheses,
    Open,
    Rule,
    apply_rules,
    check_bonus,
    check_callables,
    check_limits,
    check_max_log_prob,
    check_start,
    max_log_prob,
    no_hypotheses,
    take,
    trim_padding,
)
from .normalisation import Normalisation, as_normalisation


@torch.no_grad()
def exhaustive_search(
    step: Step,
    state: State,
    first: Tensor,
    *,
    end: int,
    max_length: int | Tensor,
    min_length: int | Tensor = 1,
    n_best: int = 1,
    normalisation: Normalisation | None = None,
    rules: Sequence[Rule] = (),
    bonus: Bonus | None = None,
    limit: int = 100_000,
) -> Hypotheses:
    """The ``n_best`` best of all sequences of each sentence, by the scores that ``beam_search`` gives them.

    Args:
        limit: how many sequences may be looked at, those of all sentences together; the others as for ``beam_search``.

    Raises:
        ValueError: where there are more sequences than ``limit``, or as ``beam_search``.
        FloatingPointError: where ``step`` returns NaN.
    """
    check_callables(step, rules, bonus)
    check_start(first, state, end)
    check_counts(n_best=n_best, limit=limit)
    limits = check_limits(min_length, max_length, first)
    by = as_normalisation(normalisation)
    ended = enumerate_by_length(step, state, first, end=end, limits=limits, by=by, rules=rules, bonus=bonus, limit=limit)
    return best_of(list(ended), first, end, n_best)


def enumerate_by_length(
    step: Step,
    state: State,
    first: Tensor,
    *,
    end: int,
    limits: tuple[Tensor, Tensor],
    by: Normalisation,
    rules: Sequence[Rule],
    bonus: Bonus | None,
    limit: int,
) -> Iterator[Hypotheses]:
    """All hypotheses of one token, of two, and so on; the score is -inf where one may not end at that length."""
    shortest, longest = limits
    steps, sums = int(longest.max()) if len(first) else 0, torch.zeros(len(first), device=first.device)
    prefixes = Prefixes(first, first.new_zeros(len(first), 0), sums, sums)
    for length in range(1, steps + 1):
        log_probs, state = take(step, prefixes.last, state, end)
        if length == 1:
            check_size(len(first), log_probs.shape[1], steps, limit)
        sentences = torch.arange(len(first), device=first.device).repeat_interleave(len(log_probs) // len(first))
        gains = prefixes.totals.new_zeros(len(log_probs)) if bonus is None else bonus(state)
        check_returned(log_probs, gains, prefixes, length)
        ranked = apply_rules(rules, log_probs, Open(prefixes.tokens, sentences))
        may_end = (prefixes.totals > -torch.inf) & (length >= shortest[sentences]) & (length <= longest[sentences])
        scores = by.score(prefixes.totals + ranked[:, end], gains.new_full((), length)) + gains
        yield prefixes.ended(torch.where(may_end, scores, -torch.inf), log_probs, end, (len(first), steps))
        if length == steps or log_probs.shape[1] == 1:
            break
        prefixes, rows = prefixes.extended(ranked, log_probs, end)
        state = map_state(lambda leaf, rows=rows: leaf.index_select(0, rows), state)


class Prefixes(NamedTuple):
    """All open prefixes: the ``last`` token (N,), all ``tokens`` (N, t), the sums (N,) that rank them and the model's."""

    last: Tensor
    tokens: Tensor
    totals: Tensor
    log_probs: Tensor

    def ended(self, scores: Tensor, log_probs: Tensor, end: int, size: tuple[int, int]) -> Hypotheses:
        """The hypotheses of these prefixes and then ``end``, for ``size`` (B, T): tokens (B, Q, T)."""
        sentences, steps = size
        tokens = F.pad(self.tokens, (0, steps - self.tokens.shape[1]), value=end).view(sentences, -1, steps)
        lengths = torch.full(tokens.shape[:2], self.tokens.shape[1] + 1, device=tokens.device)
        return Hypotheses(tokens, lengths, scores.view(sentences, -1), (self.log_probs + log_probs[:, end]).view(sentences, -1))

    def extended(self, ranked: Tensor, log_probs: Tensor, end: int) -> tuple["Prefixes", Tensor]:
        """These prefixes, each extended by each token but ``end``, and their parents' rows."""
        vocabulary = torch.arange(log_probs.shape[1], device=log_probs.device)
        vocabulary = vocabulary[vocabulary != end]
        rows = torch.arange(len(self.last), device=vocabulary.device).repeat_interleave(len(vocabulary))
        last = vocabulary.repeat(len(self.last))
        tokens = torch.cat([self.tokens[rows], last.unsqueeze(1)], 1)
        sums = self.log_probs[rows] + log_probs[rows, last]
        return Prefixes(last, tokens, self.totals[rows] + ranked[rows, last], sums), rows


def best_of(ended: list[Hypotheses], first: Tensor, end: int, n_best: int) -> Hypotheses:
    """The ``n_best`` best of all hypotheses, of which ``ended`` has those of each length."""
    if not ended:
        return no_hypotheses(first, n_best)
    tokens, lengths, scores, log_probs = (torch.cat(parts, 1) for parts in zip(*ended, strict=True))
    scores, order = scores.topk(min(n_best, scores.shape[1]))
    tokens = tokens.gather(1, order.unsqueeze(2).expand(*order.shape, tokens.shape[2]))
    missing = n_best - order.shape[1]
    lengths, log_probs = (F.pad(part.gather(1, order), (0, missing)) for part in (lengths, log_probs))
    scores, tokens = F.pad(scores, (0, missing), value=-torch.inf), F.pad(tokens, (0, 0, 0, missing), value=end)
    return trim_padding(Hypotheses(tokens, lengths, scores, log_probs), end)


def check_returned(log_probs: Tensor, gains: Tensor, prefixes: Prefixes, length: int) -> None:
    """Check what step and bonus returned for token ``length``."""
    read = prefixes.totals > -torch.inf
    check_max_log_prob(float(max_log_prob(log_probs, read)), length)
    check_bonus([float(gains.masked_fill(~read, 0).amax())])


def check_size(sentences: int, vocabulary: int, steps: int, limit: int) -> None:
    """Check that there are at most ``limit`` sequences: of t tokens and then ``end`` there are (V - 1)^t."""
    count = 0
    for time in range(steps):
        count += sentences * (vocabulary - 1) ** time
        if count > limit:
            size = f"{sentences} sentences of at most T = {steps} tokens, of a vocabulary of V = {vocabulary}"
            raise ValueError(f"{size}, have more than limit = {limit} sequences")


def search_error_rate(
    step: Step,
    state: State,
    first: Tensor,
    *,
    end: int,
    beam_size: int,
    max_length: int | Tensor,
    min_length: int | Tensor = 1,
    normalisation: Normalisation | None = None,
    stop: str = "exact",
    patience: float = 1.0,
    rules: Sequence[Rule] = (),
    bonus: Bonus | None = None,
    limit: int = 100_000,
    tolerance: float = 1e-4,
) -> float:
    """The share of sentences for which a beam misses the best sequence: its search errors (Stahlberg and Byrne 2019,
    arXiv:1908.10090).

    A sentence counts if the best of all sequences scores higher than the best that the beam finds by more than ``tolerance``,
    which rounding may explain. The other arguments are those of ``beam_search`` and ``exhaustive_search``.

    Raises:
        ValueError: for a batch without sentences, or as those two.
    """
    check_number("tolerance", tolerance, least=0)
    check_start(first, state, end)
    if len(first) == 0:
        raise ValueError("a rate needs at least one sentence, not none")
    limits = {"end": end, "max_length": max_length, "min_length": min_length}
    shared: dict[str, Any] = {**limits, "normalisation": normalisation, "rules": rules, "bonus": bonus}
    best = exhaustive_search(step, state, first, **shared, limit=limit)
    found = beam_search(step, state, first, **shared, beam_size=beam_size, stop=stop, patience=patience)
    return float((best.scores[:, 0] - tolerance > found.scores[:, 0]).float().mean())
