"""Every sequence there is, for problems small enough: what a beam search is measured against.

Shapes: B sentences, Q open prefixes of each, N = B * Q rows, V tokens, t tokens so far, T tokens of the longest sequence.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sequences import State, map_state
from .beam import beam_search
from .contract import (
    Bonus,
    Hypotheses,
    Open,
    Rule,
    Step,
    apply_rules,
    check_bonus,
    check_counts,
    check_highest,
    check_limits,
    check_shape,
    check_start,
    highest,
    nothing_found,
    trimmed,
)
from .normalisation import Normalisation, Unnormalised


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
    check_start(first, state, end)
    check_counts(n_best=n_best, limit=limit)
    shortest, longest = check_limits(min_length, max_length, first)
    by = Unnormalised() if normalisation is None else normalisation
    steps, sums, ended = int(longest.max()) if len(first) else 0, torch.zeros(len(first), device=first.device), []
    prefixes = Prefixes(first, first.new_zeros(len(first), 0), sums, sums)
    for length in range(1, steps + 1):
        log_probs, state = step(prefixes.last, state)
        check_shape(log_probs, len(prefixes.last), end)
        if length == 1:
            check_size(len(first), log_probs.shape[1], steps, limit)
        sentences = torch.arange(len(first), device=first.device).repeat_interleave(len(log_probs) // len(first))
        gains = prefixes.totals.new_zeros(len(log_probs)) if bonus is None else bonus(state)
        check_returned(log_probs, gains, prefixes, length)
        ranked = apply_rules(rules, log_probs, Open(prefixes.said, sentences))
        may_end = (prefixes.totals > -torch.inf) & (length >= shortest[sentences]) & (length <= longest[sentences])
        scores = by.score(prefixes.totals + ranked[:, end], gains.new_full((), length)) + gains
        ended.append(prefixes.ended(torch.where(may_end, scores, -torch.inf), log_probs, end, (len(first), steps)))
        if length == steps or log_probs.shape[1] == 1:
            break
        prefixes, rows = prefixes.extended(ranked, log_probs, end)
        state = map_state(lambda leaf, rows=rows: leaf.index_select(0, rows), state)
    return best_of(ended, first, end, n_best)


class Prefixes(NamedTuple):
    """Open sequences: the ``last`` token (N,), all that was ``said`` (N, t), the sums (N,) that rank them and the model's."""

    last: Tensor
    said: Tensor
    totals: Tensor
    log_probs: Tensor

    def ended(self, scores: Tensor, log_probs: Tensor, end: int, size: tuple[int, int]) -> Hypotheses:
        """These sequences and then ``end``, for ``size`` (B, T): tokens (B, Q, T)."""
        sentences, steps = size
        said = F.pad(self.said, (0, steps - self.said.shape[1]), value=end).view(sentences, -1, steps)
        lengths = torch.full(said.shape[:2], self.said.shape[1] + 1, device=said.device)
        return Hypotheses(said, lengths, scores.view(sentences, -1), (self.log_probs + log_probs[:, end]).view(sentences, -1))

    def extended(self, ranked: Tensor, log_probs: Tensor, end: int) -> tuple["Prefixes", Tensor]:
        """Each of these sequences with each token but ``end``, and the rows that they grow out of."""
        letters = torch.arange(log_probs.shape[1], device=log_probs.device)
        letters = letters[letters != end]
        rows = torch.arange(len(self.last), device=letters.device).repeat_interleave(len(letters))
        last = letters.repeat(len(self.last))
        said = torch.cat([self.said[rows], last.unsqueeze(1)], 1)
        sums = self.log_probs[rows] + log_probs[rows, last]
        return Prefixes(last, said, self.totals[rows] + ranked[rows, last], sums), rows


def best_of(ended: list[Hypotheses], first: Tensor, end: int, n_best: int) -> Hypotheses:
    """The ``n_best`` of all that ``ended``, the sequences of each length apart."""
    if not ended:
        return nothing_found(first, n_best)
    tokens, lengths, scores, log_probs = (torch.cat(parts, 1) for parts in zip(*ended, strict=True))
    scores, places = scores.topk(min(n_best, scores.shape[1]))
    tokens = tokens.gather(1, places.unsqueeze(2).expand(*places.shape, tokens.shape[2]))
    missing = n_best - places.shape[1]
    lengths, log_probs = (F.pad(part.gather(1, places), (0, missing)) for part in (lengths, log_probs))
    scores, tokens = F.pad(scores, (0, missing), value=-torch.inf), F.pad(tokens, (0, 0, 0, missing), value=end)
    return trimmed(Hypotheses(tokens, lengths, scores, log_probs), end)


def check_returned(log_probs: Tensor, gains: Tensor, prefixes: Prefixes, length: int) -> None:
    read = prefixes.totals > -torch.inf
    check_highest(float(highest(log_probs, read)), length)
    check_bonus([float(gains.masked_fill(~read, 0).amax())])


def check_size(sentences: int, vocabulary: int, steps: int, limit: int) -> None:
    """Refuse a problem of more than ``limit`` sequences: of t tokens and then ``end`` there are (V - 1)^t."""
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
    """The share of sentences for which a beam misses the best sequence (Stahlberg and Byrne 2019, arXiv:1908.10090).

    A sentence counts if the best of all sequences scores higher than the best that the beam finds by more than ``tolerance``,
    which rounding may explain. The other arguments are those of ``beam_search`` and ``exhaustive_search``.

    Raises:
        ValueError: for a batch without sentences, or as those two.
    """
    if len(first) == 0:
        raise ValueError("a rate needs at least one sentence, not none")
    best = exhaustive_search(
        *(step, state, first),
        end=end,
        max_length=max_length,
        min_length=min_length,
        normalisation=normalisation,
        rules=rules,
        bonus=bonus,
        limit=limit,
    )
    found = beam_search(
        *(step, state, first),
        end=end,
        max_length=max_length,
        min_length=min_length,
        beam_size=beam_size,
        normalisation=normalisation,
        stop=stop,
        patience=patience,
        rules=rules,
        bonus=bonus,
    )
    return float((best.scores[:, 0] - tolerance > found.scores[:, 0]).float().mean())
