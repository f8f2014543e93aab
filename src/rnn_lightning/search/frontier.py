"""The open hypotheses of a beam search, and the step that extends, finishes and reorders them.

Shapes: A active sentences, G groups of a beam, K hypotheses that a group keeps open, R rows of a group (K, but in the first
step one row that all groups share), N rows in all, V tokens, t tokens so far, C required phrases, L tokens of the longest.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..sequences import State, map_state
from .backpointers import Backpointers
from .contract import Bonus, Open, Rule, apply_rules, check_bonus, check_max_log_prob, max_log_prob
from .normalisation import Normalisation
from .required import Phrases, select_required
from .selection import Selected, select_best, select_diverse
from .stop import Finished, Stop


class Active(NamedTuple):
    """The sentences still searched, (A,) each: their index in the batch, and the limits of their hypotheses' lengths."""

    sentences: Tensor
    shortest: Tensor
    longest: Tensor


class Beam(NamedTuple):
    """The open hypotheses of all sentences, (N,) each: last token, sum that ranks them, sum of the model's log-probabilities.

    A ranking sum of -inf marks a dead row, which fills up a beam that has fewer hypotheses than its width.
    """

    tokens: Tensor
    totals: Tensor
    log_probs: Tensor


class RowState(NamedTuple):
    """What is reordered with the rows: the model's state; the ``tokens`` (N, t) of each row, an empty tuple without rules; what
    it has ``matched`` (N, C, L + 1) of its required phrases, an empty tuple without those."""

    model: State
    tokens: Any
    matched: Any


class Frontier(NamedTuple):
    """All that a search carries from one step to the next."""

    active: Active
    finished: Finished
    beam: Beam
    state: RowState


class Done(NamedTuple):
    """Sentences (A,) whose search has stopped, with their finished hypotheses (A, G, P) by score and backpointer."""

    sentences: Tensor
    scores: Tensor
    entries: Tensor


@dataclass(frozen=True)
class Search:
    """The settings of a ``beam_search``, and its step; a group keeps ``width`` hypotheses."""

    end: int
    groups: int
    width: int
    diversity: float
    normalisation: Normalisation
    stop: Stop
    rules: tuple[Rule, ...]
    phrases: Phrases | None
    bonus: Bonus | None

    def start(self, state: State, first: Tensor, limits: tuple[Tensor, Tensor], n_best: int) -> Frontier:
        """The frontier before the first step: one empty hypothesis a sentence."""
        zeros = torch.zeros(len(first), device=first.device)
        active = Active(torch.arange(len(first), device=first.device), *limits)
        tokens = first.new_zeros(len(first), 0) if self.rules else ()
        rows = RowState(state, tokens, () if self.phrases is None else self.phrases.start())
        return Frontier(active, Finished.start(first, self.groups, n_best), Beam(first, zeros, zeros), rows)

    def step(
        self, frontier: Frontier, log_probs: Tensor, backpointers: Backpointers, length: int
    ) -> tuple[Frontier, Done | None]:
        """The frontier after token ``length`` of ``log_probs`` (N, V), and the sentences whose search stops, if any."""
        active, finished, beam, state = frontier
        gains = None if self.bonus is None else self.bonus(state.model)
        chosen, scores = self.score_and_select(frontier, log_probs, gains, length)
        rows = self.to_groups(torch.arange(len(log_probs), device=log_probs.device), active)  # (A, G, R)
        finished = finished.add(scores, rows + backpointers.first_entry)
        backpointers.log_probs.append(beam.log_probs + log_probs[:, self.end])
        limits = active.shortest, active.longest
        stopped = self.stop.reached(finished, chosen.totals.amax(2), length, limits, self.normalisation)
        totals = chosen.totals.masked_fill(stopped.unsqueeze(2), -torch.inf)
        going_on, done = (totals > -torch.inf).flatten(1).any(1), None
        parts: tuple[Any, ...] = active, finished, (rows.gather(2, chosen.parents), chosen.tokens, totals)
        if count_and_check(going_on, beam, log_probs, gains, length) < len(going_on):
            done = Done(active.sentences[~going_on], finished.scores[~going_on], finished.entries[~going_on])
            staying = going_on.nonzero().squeeze(1)
            parts = tuple(map_state(lambda leaf: leaf[staying], part) for part in parts)
        active, finished = Active(*parts[0]), Finished(*parts[1])
        parents, tokens, totals = (part.flatten() for part in parts[2])
        backpointers.append(parents, tokens)
        log_probs = beam.log_probs[parents] + log_probs[parents, tokens] if self.rules else totals
        state = self.reorder_state(state, parents, tokens, active)
        return Frontier(active, finished, Beam(tokens, totals, log_probs), state), done

    def score_and_select(
        self, frontier: Frontier, log_probs: Tensor, gains: Tensor | None, length: int
    ) -> tuple[Selected, Tensor]:
        """The continuations that stay open, and the scores (A, G, R) of the rows that end here; -inf where one may not."""
        active, _, beam, (_, tokens, matched) = frontier
        if self.rules:
            sentences = active.sentences.repeat_interleave(len(tokens) // len(active.sentences))
            log_probs = apply_rules(self.rules, log_probs, Open(tokens, sentences))
        ranked, totals = self.to_groups(log_probs, active), self.to_groups(beam.totals, active)
        may_end = (totals > -torch.inf) & (length >= active.shortest).unsqueeze(1).unsqueeze(2)
        if self.phrases is not None:
            phrases, matched = self.phrases.of(active.sentences), self.to_groups(matched, active).squeeze(1)
            may_end &= phrases.satisfied(matched).unsqueeze(1)
            chosen = select_required(ranked, totals, self.end, self.width, phrases=phrases, matched=matched)
        elif self.diversity:
            chosen = select_diverse(ranked, totals, self.end, self.width, self.diversity)
        else:
            chosen = select_best(ranked, totals, self.end, self.width)
        last = (length >= active.longest).unsqueeze(1).unsqueeze(2)
        ends = totals + ranked[..., self.end]
        may_end &= (ends >= chosen.ranks.amin(2, keepdim=True)) | last
        scores = self.normalisation.score(ends, ends.new_full((), length))
        if gains is not None:
            scores = scores + self.to_groups(gains, active)
        return chosen._replace(totals=chosen.totals.masked_fill(last, -torch.inf)), torch.where(may_end, scores, -torch.inf)

    def reorder_state(self, state: RowState, parents: Tensor, tokens: Tensor, active: Active) -> RowState:
        """The state of the rows that extend ``parents`` (N,) by ``tokens`` (N,)."""
        model, history, matched = map_state(lambda leaf: leaf.index_select(0, parents), state)
        if self.rules:
            history = torch.cat([history, tokens.unsqueeze(1)], 1)
        if self.phrases is not None and len(tokens):
            matched = self.to_groups(matched, active).squeeze(1)
            matched = self.phrases.of(active.sentences).extend(matched, tokens.view(matched.shape[:2])).flatten(0, 1)
        return RowState(model, history, matched)

    def to_groups(self, rows: Tensor, active: Active) -> Tensor:
        """Rows (N, ...) as (A, G, R, ...)."""
        members = max(1, len(rows) // (len(active.sentences) * self.groups))
        apart = rows.reshape(len(active.sentences), -1, members, *rows.shape[1:])
        return apart.expand(-1, self.groups, *[-1] * rows.dim())


def count_and_check(going_on: Tensor, beam: Beam, log_probs: Tensor, gains: Tensor | None, length: int) -> int:
    """The number of sentences that are ``going_on`` (A,), after a check of what step and bonus returned.

    Count and check share the only transfer to the host in a step, for which it waits.

    Raises:
        FloatingPointError: for NaN.
        ValueError: for what is above zero.
    """
    read = beam.totals > -torch.inf
    figures = [going_on.sum(), max_log_prob(log_probs, read)]
    if gains is not None:
        figures.append(gains.masked_fill(~read, 0).amax())
    count, most, *gained = torch.stack([figure.float() for figure in figures]).tolist()
    check_max_log_prob(most, length)
    check_bonus(gained)
    return int(count)
