"""Sampling: sequences drawn from a model, token by token.

Shapes: B sentences, A of them active, S samples of each, N rows (A in the first step, then A * S), V tokens, t tokens so far.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_counts, shown
from ..sequences import State, Step, map_state
from .contract import (
    Hypotheses,
    Open,
    Rule,
    apply_rules,
    check_callables,
    check_limits,
    check_max_log_prob,
    check_start,
    max_log_prob,
    no_hypotheses,
    split_index,
    take,
    trim_padding,
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
    """``samples`` sequences of each sentence, drawn token by token from softmax(log-probabilities / ``temperature``).

    They come in the order drawn, duplicates included; ``scores`` are the log-probabilities of drawing them. Lengths are limited
    as in ``beam_search``. A sequence after which all tokens are ruled out is missing.

    Args:
        temperature: 0 takes the likeliest token.
        top_k: only the ``top_k`` likeliest tokens are drawn (Fan et al. 2018, arXiv:1805.04833).
        top_p: of those, only the fewest whose probabilities sum to ``top_p`` (Holtzman et al. 2020, arXiv:1904.09751).
        min_p: of those, only tokens at least ``min_p`` times as likely as the likeliest (Nguyen et al. 2024, arXiv:2407.01082).
        generator: of the random numbers; ``None``: PyTorch's default.
        rules: applied before all this; see ``Rule``.

    Raises:
        ValueError: for a number outside its range, or shapes that do not fit.
        FloatingPointError: where ``step`` returns NaN.
    """
    check_callables(step, rules)
    check_start(first, state, end)
    check_counts(samples=samples)
    keep, limits = Filter(temperature, top_k, top_p, min_p), check_limits(min_length, max_length, first)
    drawn = Samples.start(first, limits, samples)
    return draw_all(step, state, first, drawn, keep=keep, rules=rules, end=end, generator=generator)


def draw_all(
    step: Step,
    state: State,
    tokens: Tensor,
    drawn: "Samples",
    *,
    keep: Filter,
    rules: Sequence[Rule],
    end: int,
    generator: torch.Generator | None,
) -> Hypotheses:
    """The samples ``drawn``, extended step by step until all have ended; the model reads ``tokens`` (N,) first."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator, or None, not {shown(generator)}")
    finished, length, empty = [], 0, no_hypotheses(tokens, drawn.open.shape[1])
    while len(tokens):
        length += 1
        log_probs, state = take(step, tokens, state, end)
        scores = keep(drawn.limited(apply_rules(rules, log_probs, drawn.rows(len(tokens))), length, end))
        read = drawn.open[:, : len(tokens) // len(drawn.open)].flatten()
        drawn = drawn.draw(scores, log_probs, end, generator)
        going_on = drawn.open.any(1)
        count, most = torch.stack([going_on.sum().float(), max_log_prob(log_probs, read).float()]).tolist()
        check_max_log_prob(most, length)
        staying, leaving = split_index(going_on, int(count))
        parents = torch.arange(len(tokens), device=tokens.device).view(len(drawn.open), -1).expand_as(drawn.open)[staying]
        finished.append(drawn.of(leaving))
        drawn = drawn.of(staying)
        tokens, rows = drawn.tokens[:, :, -1].flatten(), parents.flatten()
        state = map_state(lambda leaf, rows=rows: leaf.index_select(0, rows), state)
    return in_order(finished, end) if finished else empty


class Samples(NamedTuple):
    """The samples of the active sentences.

    Of the sentences, (A,) each: their index in the batch, the least and the greatest length. Of the samples: their ``tokens``
    (A, S, t), and (A, S) each: whether they are ``open``, their lengths, the log-probabilities of drawing them (``scores``)
    and the model's own.
    """

    sentences: Tensor
    shortest: Tensor
    longest: Tensor
    tokens: Tensor
    open: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor

    @classmethod
    def start(cls, first: Tensor, limits: tuple[Tensor, Tensor], samples: int) -> "Samples":
        """``samples`` empty samples of each sentence."""
        tokens = first.new_zeros(len(first), samples, 0)
        lengths = first.new_zeros(len(first), samples)
        sums = torch.zeros(lengths.shape, device=first.device)
        sentences = torch.arange(len(first), device=first.device)
        return cls(sentences, *limits, tokens, torch.ones_like(lengths, dtype=torch.bool), lengths, sums, sums)

    def of(self, chosen: Tensor | slice) -> "Samples":
        """The samples of the ``chosen`` sentences."""
        return Samples(*(part[chosen] for part in self))

    def rows(self, count: int) -> Open:
        """The open hypotheses of ``count`` rows, A or A * S, as a rule sees them."""
        members = count // len(self.open)
        return Open(self.tokens[:, :members].flatten(0, 1), self.sentences.repeat_interleave(members))

    def limited(self, log_probs: Tensor, length: int, end: int) -> Tensor:
        """``log_probs`` (N, V), -inf where a limit of length forbids a token: ``end`` too early, or another one as the last."""
        ends = torch.arange(log_probs.shape[1], device=log_probs.device) == end
        early, last = (length < self.shortest).unsqueeze(1), (length >= self.longest).unsqueeze(1)
        forbidden = torch.where(last, ~ends, early & ends)  # (A, V)
        return log_probs.masked_fill(forbidden.repeat_interleave(len(log_probs) // len(forbidden), 0), -torch.inf)

    def draw(self, scores: Tensor, log_probs: Tensor, end: int, generator: torch.Generator | None) -> "Samples":
        """These samples, each open one extended by a token of softmax(``scores``) (N, V), or by ``end`` where all are -inf."""
        stuck = ~(scores.amax(1, keepdim=True) > -torch.inf)
        only_end = torch.full_like(scores[:1], -torch.inf).index_fill(1, self.lengths.new_tensor([end]), 0)
        log_weights = torch.where(stuck, only_end, scores).log_softmax(1)
        count = self.open.numel() // len(scores)
        tokens = log_weights.exp().multinomial(count, replacement=True, generator=generator)  # (A, S) or (A * S, 1)
        gains = log_weights.gather(1, tokens).masked_fill(stuck, -torch.inf), log_probs.gather(1, tokens)
        drawn, own = (torch.where(self.open, gain.view(self.open.shape), 0) for gain in gains)
        tokens = torch.where(self.open, tokens.view(self.open.shape), end)
        return self._replace(
            tokens=torch.cat([self.tokens, tokens.unsqueeze(2)], 2),
            open=self.open & (tokens != end),
            lengths=self.lengths + self.open,
            scores=self.scores + drawn,
            log_probs=self.log_probs + own,
        )


def in_order(finished: list[Samples], end: int) -> Hypotheses:
    """The samples of all sentences as hypotheses, in the order of the batch."""
    steps = finished[-1].tokens.shape[2]
    tokens = torch.cat([F.pad(part.tokens, (0, steps - part.tokens.shape[2]), value=end) for part in finished])
    order = torch.cat([part.sentences for part in finished]).argsort()
    lengths, scores, log_probs = (torch.cat(parts)[order] for parts in zip(*(part[-3:] for part in finished), strict=True))
    return trim_padding(Hypotheses(tokens[order], lengths, scores, log_probs), end)
