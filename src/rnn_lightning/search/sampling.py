"""Sequences drawn from a model.

Shapes: B sentences, A of them active, S samples of each, N rows (A in the first step, then A * S), V tokens, t tokens so far.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sequences import State, map_state
from .contract import (
    Hypotheses,
    Open,
    Rule,
    Step,
    apply_rules,
    check_counts,
    check_highest,
    check_limits,
    check_shape,
    check_start,
    highest,
    nothing_found,
    parted,
    trimmed,
)
from .filters import Filter


@torch.no_grad()
def sample(
    step: Step,
    state: State,
    first: Tensor,
    *,
    end: int,
    max_length: int | Tensor,
    min_length: int | Tensor = 1,
    samples: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    generator: torch.Generator | None = None,
    rules: Sequence[Rule] = (),
) -> Hypotheses:
    """``samples`` sequences a sentence, token by token from softmax(log-probabilities / ``temperature``).

    They come in the order drawn, duplicates included; ``scores`` are the log-probabilities of drawing them. Lengths are limited
    as in ``beam_search``. A sequence that comes to where nothing may follow is missing.

    Args:
        temperature: 0 takes the likeliest token.
        top_k: only the ``top_k`` likeliest tokens are drawn (Fan et al. 2018, arXiv:1805.04833).
        top_p: of those, only the fewest whose probabilities sum to ``top_p`` (Holtzman et al. 2020, arXiv:1904.09751).
        min_p: of those, only tokens at least ``min_p`` times as likely as the likeliest (Nguyen et al. 2024, arXiv:2407.01082).
        generator: where chance comes from; ``None``: PyTorch's own.
        rules: applied before all this; see ``Rule``.

    Raises:
        ValueError: for a number outside its range, or shapes that do not fit.
        FloatingPointError: where ``step`` returns NaN.
    """
    check_start(first, state, end)
    check_counts(samples=samples)
    keep = Filter(temperature, top_k, top_p, min_p)
    drawn, left, length = Samples.start(first, check_limits(min_length, max_length, first), samples), [], 0
    tokens = first
    while len(tokens):
        length += 1
        log_probs, state = step(tokens, state)
        check_shape(log_probs, len(tokens), end)
        shares = keep(drawn.limited(apply_rules(rules, log_probs, drawn.rows(len(tokens))), length, end))
        read = drawn.open[:, : len(tokens) // len(drawn.open)].flatten()
        drawn = drawn.draw(shares, log_probs, end, generator)
        going_on = drawn.open.any(1)
        count, most = torch.stack([going_on.sum().float(), highest(log_probs, read).float()]).tolist()
        check_highest(most, length)
        staying, leaving = parted(going_on, int(count))
        parents = torch.arange(len(tokens), device=first.device).view(len(drawn.open), -1).expand_as(drawn.open)[staying]
        left.append(drawn.of(leaving))
        drawn = drawn.of(staying)
        tokens, rows = drawn.said[:, :, -1].flatten(), parents.flatten()
        state = map_state(lambda leaf, rows=rows: leaf.index_select(0, rows), state)
    return in_order(left, end) if left else nothing_found(first, samples)


class Samples(NamedTuple):
    """The samples of the active sentences. Of the sentences, (A,) each: which they are, and how short and long samples may be.
    Of the samples: what they ``said`` (A, S, t), and (A, S) each: whether they are ``open``, their lengths, the
    log-probabilities of drawing them and the model's own."""

    sentences: Tensor
    shortest: Tensor
    longest: Tensor
    said: Tensor
    open: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor

    @classmethod
    def start(cls, first: Tensor, limits: tuple[Tensor, Tensor], samples: int) -> "Samples":
        said = first.new_zeros(len(first), samples, 0)
        lengths = first.new_zeros(len(first), samples)
        sums = torch.zeros(lengths.shape, device=first.device)
        sentences = torch.arange(len(first), device=first.device)
        return cls(sentences, *limits, said, torch.ones_like(lengths, dtype=torch.bool), lengths, sums, sums)

    def of(self, chosen: Tensor | slice) -> "Samples":
        return Samples(*(part[chosen] for part in self))

    def rows(self, count: int) -> Open:
        """What a rule is told of ``count`` rows, A or A * S."""
        members = count // len(self.open)
        return Open(self.said[:, :members].flatten(0, 1), self.sentences.repeat_interleave(members))

    def limited(self, log_probs: Tensor, length: int, end: int) -> Tensor:
        """``log_probs`` (N, V) without what the limits of length forbid: ``end`` too early, or another token as the last."""
        ends = torch.arange(log_probs.shape[1], device=log_probs.device) == end
        early, last = (length < self.shortest).unsqueeze(1), (length >= self.longest).unsqueeze(1)
        forbidden = torch.where(last, ~ends, early & ends)  # (A, V)
        return log_probs.masked_fill(forbidden.repeat_interleave(len(log_probs) // len(forbidden), 0), -torch.inf)

    def draw(self, shares: Tensor, log_probs: Tensor, end: int, generator: torch.Generator | None) -> "Samples":
        """One token more for each open sample, from softmax(``shares``) (N, V); ``end`` where nothing may follow."""
        stuck = ~(shares.amax(1, keepdim=True) > -torch.inf)
        only_end = torch.full_like(shares[:1], -torch.inf).index_fill(1, self.lengths.new_tensor([end]), 0)
        log_shares = torch.where(stuck, only_end, shares).log_softmax(1)
        count = self.open.numel() // len(shares)
        tokens = log_shares.exp().multinomial(count, replacement=True, generator=generator)  # (A, S) or (A * S, 1)
        gains = log_shares.gather(1, tokens).masked_fill(stuck, -torch.inf), log_probs.gather(1, tokens)
        chances, own = (torch.where(self.open, gain.view(self.open.shape), 0) for gain in gains)
        said = torch.where(self.open, tokens.view(self.open.shape), end)
        return self._replace(
            said=torch.cat([self.said, said.unsqueeze(2)], 2),
            open=self.open & (said != end),
            lengths=self.lengths + self.open,
            scores=self.scores + chances,
            log_probs=self.log_probs + own,
        )


def in_order(left: list[Samples], end: int) -> Hypotheses:
    """The samples of all sentences, in the order of the batch."""
    steps = left[-1].said.shape[2]
    said = torch.cat([F.pad(part.said, (0, steps - part.said.shape[2]), value=end) for part in left])
    order = torch.cat([part.sentences for part in left]).argsort()
    lengths, scores, log_probs = (torch.cat(parts)[order] for parts in zip(*(part[-3:] for part in left), strict=True))
    return trimmed(Hypotheses(said[order], lengths, scores, log_probs), end)
