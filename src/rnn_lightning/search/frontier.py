"""The open end of a beam search: what is kept from step to step, and how a step moves it on.

Shapes: A active sentences, G groups of a beam, K hypotheses that a group keeps open, R rows of a group (K, but in the first
step one row that all groups share), N rows in all, V tokens, t tokens so far, C required phrases, L tokens of the longest.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..sequences import State, map_state
from .contract import Bonus, Open, Rule, apply_rules, check_bonus, check_highest, check_shape, highest
from .normalisation import Normalisation
from .required import Phrases, select_required
from .selection import Selected, select_best, select_diverse
from .stop import Finished, Stop
from .trail import Backpointers


class Active(NamedTuple):
    """The sentences still searched, (A,) each: which they are, and how short and long their hypotheses may be."""

    sentences: Tensor
    shortest: Tensor
    longest: Tensor


class Rows(NamedTuple):
    """The open hypotheses, (N,) each: the last token, the sum that ranks them, and that of the model's log-probabilities.

    A ranking sum of -inf marks a dead row, which stands where a beam could not be filled.
    """

    tokens: Tensor
    totals: Tensor
    log_probs: Tensor


class Memory(NamedTuple):
    """What is reordered with the rows: the model's state; what each row has ``said`` (N, t), an empty tuple without rules; what
    it has ``begun`` (N, C, L + 1), an empty tuple without required phrases."""

    state: State
    said: Any
    begun: Any


class Frontier(NamedTuple):
    active: Active
    finished: Finished
    rows: Rows
    memory: Memory


class Done(NamedTuple):
    """Sentences (A,) that are no longer searched, with their finished hypotheses (A, G, P)."""

    sentences: Tensor
    scores: Tensor
    nodes: Tensor


@dataclass(frozen=True)
class Search:
    """What ``beam_search`` was asked for; a group keeps ``width`` hypotheses."""

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
        zeros = torch.zeros(len(first), device=first.device)
        active = Active(torch.arange(len(first), device=first.device), *limits)
        said = first.new_zeros(len(first), 0) if self.rules else ()
        memory = Memory(state, said, () if self.phrases is None else self.phrases.start())
        return Frontier(active, Finished.start(first, self.groups, n_best), Rows(first, zeros, zeros), memory)

    def advance(self, frontier: Frontier, log_probs: Tensor, trail: Backpointers, length: int) -> tuple[Frontier, Done | None]:
        """The frontier after the step that made ``log_probs`` (N, V), and the sentences that it leaves behind, if any."""
        active, finished, rows, memory = frontier
        check_shape(log_probs, len(rows.tokens), self.end)
        gains = None if self.bonus is None else self.bonus(memory.state)
        chosen, scores = self.judge(frontier, log_probs, gains, length)
        places = self.spread(torch.arange(len(log_probs), device=log_probs.device), active)  # (A, G, R)
        finished = finished.add(scores, places + trail.base)
        trail.ended.append(rows.log_probs + log_probs[:, self.end])
        limits = active.shortest, active.longest
        over = self.stop.reached(finished, chosen.totals.amax(2), length, limits, self.normalisation)
        totals = chosen.totals.masked_fill(over.unsqueeze(2), -torch.inf)
        going_on, done = (totals > -torch.inf).flatten(1).any(1), None
        parts: tuple[Any, ...] = active, finished, (places.gather(2, chosen.parents), chosen.tokens, totals)
        if count_checked(going_on, rows, log_probs, gains, length) < len(going_on):
            done = Done(active.sentences[~going_on], finished.scores[~going_on], finished.nodes[~going_on])
            staying = going_on.nonzero().squeeze(1)
            parts = tuple(map_state(lambda leaf: leaf[staying], part) for part in parts)
        active, finished = Active(*parts[0]), Finished(*parts[1])
        origins, tokens, totals = (part.flatten() for part in parts[2])
        trail.grow(origins, tokens)
        log_probs = rows.log_probs[origins] + log_probs[origins, tokens] if self.rules else totals
        return Frontier(active, finished, Rows(tokens, totals, log_probs), self.remember(memory, origins, tokens, active)), done

    def judge(self, frontier: Frontier, log_probs: Tensor, gains: Tensor | None, length: int) -> tuple[Selected, Tensor]:
        """What goes on, and the scores (A, G, R) of what has ended; -inf where a row has not."""
        active, _, rows, (_, said, begun) = frontier
        if self.rules:
            sentences = active.sentences.repeat_interleave(len(said) // len(active.sentences))
            log_probs = apply_rules(self.rules, log_probs, Open(said, sentences))
        ranked, totals = self.spread(log_probs, active), self.spread(rows.totals, active)
        may_end = (totals > -torch.inf) & (length >= active.shortest).unsqueeze(1).unsqueeze(2)
        if self.phrases is not None:
            phrases, begun = self.phrases.of(active.sentences), self.spread(begun, active).squeeze(1)
            may_end &= phrases.all_said(begun).unsqueeze(1)
            chosen = select_required(ranked, totals, self.end, self.width, phrases=phrases, begun=begun)
        elif self.diversity:
            chosen = select_diverse(ranked, totals, self.end, self.width, self.diversity)
        else:
            chosen = select_best(ranked, totals, self.end, self.width)
        last = (length >= active.longest).unsqueeze(1).unsqueeze(2)
        ends = totals + ranked[..., self.end]
        may_end &= (ends >= chosen.ranks.amin(2, keepdim=True)) | last
        scores = self.normalisation.score(ends, ends.new_full((), length))
        if gains is not None:
            scores = scores + self.spread(gains, active)
        return chosen._replace(totals=chosen.totals.masked_fill(last, -torch.inf)), torch.where(may_end, scores, -torch.inf)

    def remember(self, memory: Memory, origins: Tensor, tokens: Tensor, active: Active) -> Memory:
        """The memory of the rows that grow out of ``origins`` (N,) by ``tokens`` (N,)."""
        state, said, begun = map_state(lambda leaf: leaf.index_select(0, origins), memory)
        if self.rules:
            said = torch.cat([said, tokens.unsqueeze(1)], 1)
        if self.phrases is not None and len(tokens):
            begun = self.spread(begun, active).squeeze(1)
            begun = self.phrases.of(active.sentences).advance(begun, tokens.view(begun.shape[:2])).flatten(0, 1)
        return Memory(state, said, begun)

    def spread(self, rows: Tensor, active: Active) -> Tensor:
        """Rows (N, ...) as (A, G, R, ...)."""
        members = max(1, len(rows) // (len(active.sentences) * self.groups))
        apart = rows.reshape(len(active.sentences), -1, members, *rows.shape[1:])
        return apart.expand(-1, self.groups, *[-1] * rows.dim())


def count_checked(going_on: Tensor, rows: Rows, log_probs: Tensor, gains: Tensor | None, length: int) -> int:
    """How many sentences are ``going_on`` (A,); what step and bonus returned is checked by the way.

    Here, once a step, the host waits for the device.

    Raises:
        FloatingPointError: for NaN.
        ValueError: for what is above zero.
    """
    read = rows.totals > -torch.inf
    figures = [going_on.sum(), highest(log_probs, read)]
    if gains is not None:
        figures.append(gains.masked_fill(~read, 0).amax())
    count, most, *gained = torch.stack([figure.float() for figure in figures]).tolist()
    check_highest(most, length)
    check_bonus(gained)
    return int(count)
