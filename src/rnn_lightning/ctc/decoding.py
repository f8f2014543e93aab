"""From posteriors to labels: the best path, or the best of many prefixes, with a language model beside them.

Shapes: B rows, T steps, C labels with the blank, K prefixes of a row, N answers of a row, L labels of the longest.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..sequences import IGNORED, State, length_mask, map_state
from .contract import check_posteriors, padded

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""A language model: labels (N,) and a state to log-probabilities (N, C) of the next label, and the state after it."""


class ShallowFusion(NamedTuple):
    """A language model beside the posteriors (shallow fusion; Graves and Jaitly 2014): a prefix also has
    ``weight`` log P(prefix) and ``bonus`` a label.

    ``start`` makes the state of any number of rows. In the model's vocabulary, that of the labels, the blank stands for the
    text's beginning and its end.
    """

    step: Step
    start: Callable[[int], State]
    weight: float = 1.0
    bonus: float = 0.0

    def weighed(self, log_probs: Tensor) -> Tensor:
        """``weight`` times log-probabilities; nothing at all where it is 0, whatever the model holds to be impossible."""
        return self.weight * log_probs if self.weight else torch.zeros_like(log_probs)


class Transcripts(NamedTuple):
    """``labels`` (B, N, L), `IGNORED` behind each one's length, ``lengths`` (B, N), and ``scores`` (B, N): the best first.

    A score is the log-probability of the labels, summed over the paths in the beam, and what a language model adds. Where a row
    has fewer than N answers, the others have the score minus infinity and no labels.
    """

    labels: Tensor
    lengths: Tensor
    scores: Tensor


def ctc_greedy(log_probs: Tensor, lengths: Tensor | None = None, *, blank: int = 0) -> Transcripts:
    """The labels of the likeliest path of ``log_probs`` (B, T, C), repeats and blanks taken out; its score is the path's.

    Raises:
        ValueError: as ``ctc_loss``.
    """
    lengths = check_posteriors(log_probs, lengths, blank)
    real = length_mask(lengths, log_probs.shape[1])
    if log_probs.shape[1] == 0:
        best, path = log_probs.new_zeros(log_probs.shape[:2]), lengths.new_zeros(log_probs.shape[:2])
    else:
        best, path = log_probs.max(2)
    before = torch.cat([path.new_full((len(path), 1), blank), path[:, :-1]], 1)[:, : path.shape[1]]
    said = (path != blank) & (path != before) & real
    labels, counts = padded([row[chosen] for row, chosen in zip(path, said, strict=True)], path)
    return Transcripts(labels.unsqueeze(1), counts.unsqueeze(1), best.masked_fill(~real, 0).sum(1, keepdim=True))


class _Beam(NamedTuple):
    """``labels`` (B, K, T), 0 behind ``lengths`` (B, K), and the log-probabilities (B, K) of all paths of a prefix that end in
    a blank, and in its last label. With a language model: log-probabilities ``ahead`` (B, K, C) of the next label, the model's
    ``state`` (of B K rows), and ``told`` (B, K), what it adds to the prefix."""

    labels: Tensor
    lengths: Tensor
    blank: Tensor
    label: Tensor
    ahead: Tensor
    told: Tensor
    state: State

    @property
    def total(self) -> Tensor:
        return torch.logaddexp(self.blank, self.label)

    @property
    def last(self) -> Tensor:
        """The last label of each prefix (B, K); -1 of the empty one."""
        ends = self.labels.gather(2, (self.lengths - 1).clamp(min=0).unsqueeze(2)).squeeze(2)
        return ends.masked_fill(self.lengths == 0, -1)


@torch.no_grad()
def ctc_beam_search(
    log_probs: Tensor,
    lengths: Tensor | None = None,
    *,
    beam_size: int = 16,
    n_best: int = 1,
    blank: int = 0,
    fusion: ShallowFusion | None = None,
) -> Transcripts:
    """The likeliest label sequences of ``log_probs`` (B, T, C), each summed over its paths (Graves 2012, section 7.5.3;
    Hannun et al. 2014, arXiv:1408.2873), as far as the ``beam_size`` best prefixes after each step show them.

    A beam that holds all prefixes finds the best sequences. A beam of one is not the best path: it sums those of one prefix.

    Raises:
        ValueError: for a beam below 1 or smaller than ``n_best``, or as ``ctc_loss``.
    """
    if not 1 <= n_best <= beam_size:
        raise ValueError(f"n_best must lie in 1..beam_size, {beam_size}, not {n_best}")
    lengths = check_posteriors(log_probs, lengths, blank)
    beam = _begin(log_probs, beam_size, blank, fusion)
    for time, emitted in enumerate(log_probs.unbind(1)):
        real = (time < lengths).unsqueeze(1)  # (B, 1)
        beam = _advance(beam, emitted, real, blank, fusion)
    scores = beam.total + beam.told
    if fusion is not None:
        scores = scores + fusion.weighed(beam.ahead[:, :, blank])
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    scores, order = scores[:, :n_best], order[:, :n_best]
    none = scores == -torch.inf
    counts = beam.lengths.gather(1, order).masked_fill(none, 0)
    longest = int(counts.max()) if counts.numel() else 0
    labels = beam.labels.gather(1, order.unsqueeze(2).expand(-1, -1, beam.labels.shape[2]))[:, :, :longest]
    behind = torch.arange(longest, device=labels.device) >= counts.unsqueeze(2)
    return Transcripts(labels.masked_fill(behind, IGNORED), counts, scores)


def _begin(log_probs: Tensor, beam_size: int, blank: int, fusion: ShallowFusion | None) -> _Beam:
    rows, steps, labels = log_probs.shape
    impossible = log_probs.new_full((rows, beam_size), -torch.inf)
    first = impossible.clone()
    first[:, 0] = 0
    ahead, state = log_probs.new_zeros(rows, beam_size, labels), log_probs.new_zeros(rows * beam_size, 0)
    if fusion is not None:
        begun = torch.full((rows * beam_size,), blank, device=log_probs.device)
        found, state = fusion.step(begun, fusion.start(rows * beam_size))
        ahead = found.view(rows, beam_size, labels).to(log_probs.dtype)
    empty = torch.zeros(rows, beam_size, steps, dtype=torch.int64, device=log_probs.device)
    return _Beam(empty, empty.new_zeros(rows, beam_size), first, impossible, ahead, torch.zeros_like(first), state)


class _Ways(NamedTuple):
    """How the prefixes go on: log-probabilities (B, K) of paths that stay and end in a blank or in the label, and (B, K, C)
    of those that grow by a label; what the language model adds to these."""

    blank: Tensor
    label: Tensor
    grown: Tensor
    told: Tensor


def _ways(beam: _Beam, emitted: Tensor, blank: int, fusion: ShallowFusion | None) -> _Ways:
    """What a step that emits ``emitted`` (B, C) can make of each prefix."""
    last, total, classes = beam.last, beam.total, emitted.shape[1]
    repeated = emitted.gather(1, last.clamp(min=0)).masked_fill(last < 0, -torch.inf)
    grown = total.unsqueeze(2).repeat(1, 1, classes)
    after_blank = torch.where(last < 0, total, beam.blank)  # the last label again is another one only after a blank
    grown.scatter_(2, last.clamp(min=0).unsqueeze(2), after_blank.unsqueeze(2))
    grown = grown + emitted.unsqueeze(1)
    grown[:, :, blank] = -torch.inf
    told = beam.told.unsqueeze(2).expand_as(grown)
    if fusion is not None:
        told = told + fusion.weighed(beam.ahead) + fusion.bonus
    return _Ways(total + emitted[:, blank : blank + 1], beam.label + repeated, grown, told)


def _merge(beam: _Beam, ways: _Ways) -> _Ways:
    """Let a prefix that grows into one which is in the beam already go on as that one."""
    longest = int(beam.lengths.max()) if len(beam.lengths) else 0
    labels = beam.labels[:, :, :longest]
    ends = torch.arange(longest, device=labels.device) == (beam.lengths - 1).unsqueeze(2)
    stems = labels.masked_fill(ends, 0)  # each prefix without its last label
    follows = beam.lengths.unsqueeze(1) == beam.lengths.unsqueeze(2) + 1  # (B, K, K): the second is longer by one
    child = follows & (stems.unsqueeze(1) == labels.unsqueeze(2)).all(3)
    last = beam.last.clamp(min=0).unsqueeze(1).expand_as(child)
    gained = ways.grown.gather(2, last).masked_fill(~child, -torch.inf)
    known = torch.zeros_like(ways.grown, dtype=torch.int64).scatter_add_(2, last, child.long()) > 0
    label = torch.logaddexp(ways.label, gained.amax(1))  # a prefix has one stem
    return ways._replace(label=label, grown=ways.grown.masked_fill(known, -torch.inf))


def _advance(beam: _Beam, emitted: Tensor, real: Tensor, blank: int, fusion: ShallowFusion | None) -> _Beam:
    """The beam after a step; in the rows that are over, where ``real`` (B, 1) is false, as it was."""
    size, classes = beam.lengths.shape[1], emitted.shape[1]
    ways = _merge(beam, _ways(beam, emitted, blank, fusion))
    ways = _Ways(
        torch.where(real, ways.blank, beam.blank),
        torch.where(real, ways.label, beam.label),
        ways.grown.masked_fill(~real.unsqueeze(2), -torch.inf),
        ways.told,
    )
    stays = torch.logaddexp(ways.blank, ways.label) + beam.told
    weights, best = torch.cat([stays, (ways.grown + ways.told).flatten(1)], 1).topk(size, 1)
    grows, place = best >= size, (best - size).clamp(min=0)
    parent = torch.where(grows, place.div(classes, rounding_mode="floor"), best)
    label = place % classes
    counts = beam.lengths.gather(1, parent)
    labels = _of(beam.labels, parent)
    at_end = torch.arange(labels.shape[2], device=labels.device) == counts.unsqueeze(2)
    after = _Beam(
        torch.where(at_end & grows.unsqueeze(2), label.unsqueeze(2), labels),
        (counts + grows.long()).masked_fill(weights == -torch.inf, 0),
        torch.where(grows, -torch.inf, ways.blank.gather(1, parent)),
        torch.where(grows, ways.grown.flatten(1).gather(1, place), ways.label.gather(1, parent)),
        _of(beam.ahead, parent),
        torch.where(grows, ways.told.flatten(1).gather(1, place), beam.told.gather(1, parent)),
        beam.state,
    )
    return after if fusion is None else _ask(after, parent, label, grows & (weights > -torch.inf), fusion)


def _of(values: Tensor, prefixes: Tensor) -> Tensor:
    """The ``values`` (B, K, ...) of some ``prefixes`` (B, K)."""
    return values.gather(1, prefixes.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _ask(beam: _Beam, parent: Tensor, label: Tensor, grown: Tensor, fusion: ShallowFusion) -> _Beam:
    """Have the language model read the last ``label`` (B, K) of each prefix that has ``grown``, and of no other."""
    first = torch.arange(len(parent), device=parent.device).unsqueeze(1) * parent.shape[1]
    state = map_state(lambda leaf: leaf[(first + parent).flatten()], beam.state)
    rows = grown.flatten().nonzero().squeeze(1)
    if not len(rows):
        return beam._replace(state=state)
    ahead, after = fusion.step(label.flatten()[rows], map_state(lambda leaf: leaf[rows], state))
    known = beam.ahead.flatten(0, 1).index_copy(0, rows, ahead.to(beam.ahead.dtype))
    return beam._replace(ahead=known.view_as(beam.ahead), state=put_rows(state, rows, after))


def put_rows(state: State, rows: Tensor, some: State) -> State:
    """``state`` with its ``rows`` replaced by those of ``some``."""
    if isinstance(state, Tensor) and isinstance(some, Tensor):
        return state.index_copy(0, rows, some)
    return tuple(put_rows(part, rows, other) for part, other in zip(state, some, strict=True))
