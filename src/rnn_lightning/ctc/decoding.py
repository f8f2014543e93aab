"""CTC decoding: the best path, or prefix beam search with shallow fusion of a language model.

Shapes: B rows, T steps, C labels with the blank, K prefixes of a row, N sequences asked for of a row, L labels of the longest.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_beam, check_counts, check_number, shown
from ..sequences import IGNORED, State, Step, check_memory, length_mask, map_state, replace_rows
from .contract import check_posteriors, pad_labels


class ShallowFusion(NamedTuple):
    """Shallow fusion of a language model (Graves and Jaitly 2014): the score of a prefix is its log-probability, ``weight``
    log P(prefix) of the language model and ``bonus`` for each of its labels.

    ``step`` is the language model, ``start`` makes its state of any number of rows. Its vocabulary is that of the labels, where
    the blank stands for the text's beginning and its end.
    """

    step: Step
    start: Callable[[int], State]
    weight: float = 1.0
    bonus: float = 0.0

    def weighted(self, log_probs: Tensor) -> Tensor:
        """``weight`` times log-probabilities; 0 where the weight is 0, also of -inf."""
        return self.weight * log_probs if self.weight else torch.zeros_like(log_probs)


class Transcripts(NamedTuple):
    """The decoded label sequences of each row, best first: ``labels`` (B, N, L), `IGNORED` behind each one's length,
    ``lengths`` (B, N), and ``scores`` (B, N).

    A score is the log-probability of the labels, summed over the paths in the beam, and the weighted score of a language model.
    Where a row has fewer than N sequences, the others have the score minus infinity and no labels.
    """

    labels: Tensor
    lengths: Tensor
    scores: Tensor


def ctc_greedy(log_probs: Tensor, lengths: Tensor | None = None, *, blank: int = 0) -> Transcripts:
    """Best path decoding: the labels of the likeliest path of ``log_probs`` (B, T, C) without repeats and blanks, and its
    score.

    Raises:
        ValueError: as ``ctc_loss``.
    """
    log_probs, lengths = check_posteriors(log_probs, lengths, blank)
    real = length_mask(lengths, log_probs.shape[1])
    if log_probs.shape[1] == 0:
        best, path = log_probs.new_zeros(log_probs.shape[:2]), lengths.new_zeros(log_probs.shape[:2])
    else:
        best, path = log_probs.max(2)
    before = torch.cat([path.new_full((len(path), 1), blank), path[:, :-1]], 1)[:, : path.shape[1]]
    emitted = (path != blank) & (path != before) & real
    labels, counts = pad_labels([row[chosen] for row, chosen in zip(path, emitted, strict=True)], path)
    return Transcripts(labels.unsqueeze(1), counts.unsqueeze(1), best.masked_fill(~real, 0).sum(1, keepdim=True))


class _Beam(NamedTuple):
    """The prefixes of each row: ``labels`` (B, K, T), 0 behind ``lengths`` (B, K), and the log-probabilities (B, K) of all
    paths of a prefix that end in a blank, and in its last label.

    With a language model: its log-probabilities ``lm_next`` (B, K, C) of the next label, its ``lm_state`` (of B K rows), and
    ``lm_score`` (B, K), the weighted score of the prefix with its bonuses.
    """

    labels: Tensor
    lengths: Tensor
    blank: Tensor
    label: Tensor
    lm_next: Tensor
    lm_score: Tensor
    lm_state: State

    @property
    def total(self) -> Tensor:
        """The log-probability of all paths of each prefix (B, K)."""
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
    """Prefix beam search: the likeliest label sequences of ``log_probs`` (B, T, C), each summed over its paths (Graves 2012,
    section 7.5.3; Hannun et al. 2014, arXiv:1408.2873), among the ``beam_size`` best prefixes of each step.

    A beam that holds all prefixes finds the best sequences. A beam of one is not the best path: it sums those of one prefix.

    Raises:
        ValueError: for a beam below 1 or smaller than ``n_best``, or as ``ctc_loss``.
    """
    check_beam(beam_size)
    check_counts(most=beam_size, n_best=n_best)
    log_probs, lengths = check_posteriors(log_probs, lengths, blank)
    rows, steps, labels = log_probs.shape
    check_memory(rows=rows, beam_size=beam_size, steps_and_labels=2 * steps + labels)
    if fusion is not None:
        check_fusion(fusion)
    beam = _start(log_probs, beam_size, blank, fusion)
    for time, emissions in enumerate(log_probs.unbind(1)):
        real = (time < lengths).unsqueeze(1)  # (B, 1)
        beam = _step(beam, emissions, real, blank, fusion)
    scores = beam.total + beam.lm_score
    if fusion is not None:
        scores = scores + fusion.weighted(beam.lm_next[:, :, blank])
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    scores, order = scores[:, :n_best], order[:, :n_best]
    none = scores == -torch.inf
    counts = beam.lengths.gather(1, order).masked_fill(none, 0)
    longest = int(counts.max()) if counts.numel() else 0
    labels = _gather_prefixes(beam.labels, order)[:, :, :longest]
    behind = torch.arange(longest, device=labels.device) >= counts.unsqueeze(2)
    return Transcripts(labels.masked_fill(behind, IGNORED), counts, scores)


def check_fusion(fusion: ShallowFusion) -> None:
    """Refuse a fusion of what cannot be called, or with numbers that are none."""
    if not isinstance(fusion, ShallowFusion) or not callable(fusion.step) or not callable(fusion.start):
        raise ValueError(f"fusion must be a ShallowFusion of two functions, step and start, or None, not {shown(fusion)}")
    check_number("fusion.weight", fusion.weight)
    check_number("fusion.bonus", fusion.bonus)


def _start(log_probs: Tensor, beam_size: int, blank: int, fusion: ShallowFusion | None) -> _Beam:
    """The beam before the first step: the empty prefix."""
    rows, steps, labels = log_probs.shape
    impossible = log_probs.new_full((rows, beam_size), -torch.inf)
    empty = impossible.clone()
    empty[:, 0] = 0
    lm_next, lm_state = log_probs.new_zeros(rows, beam_size, labels), log_probs.new_zeros(rows * beam_size, 0)
    if fusion is not None:
        first = torch.full((rows * beam_size,), blank, device=log_probs.device)
        after_first, lm_state = fusion.step(first, fusion.start(rows * beam_size))
        lm_next = after_first.view(rows, beam_size, labels).to(log_probs.dtype)
    prefixes = torch.zeros(rows, beam_size, steps, dtype=torch.int64, device=log_probs.device)
    lengths = prefixes.new_zeros(rows, beam_size)
    return _Beam(prefixes, lengths, empty, impossible, lm_next, torch.zeros_like(empty), lm_state)


class _Extensions(NamedTuple):
    """The candidates of a step: log-probabilities (B, K) of each prefix unchanged, its paths ending in a blank or in its last
    label; log-probabilities (B, K, C) of each prefix with a further label, and the language model's score of that."""

    blank: Tensor
    label: Tensor
    longer: Tensor
    lm_score: Tensor


def _extensions(beam: _Beam, emissions: Tensor, blank: int, fusion: ShallowFusion | None) -> _Extensions:
    """The candidates that ``emissions`` (B, C) make of each prefix."""
    last, total, classes = beam.last, beam.total, emissions.shape[1]
    repeated = emissions.gather(1, last.clamp(min=0)).masked_fill(last < 0, -torch.inf)
    longer = total.unsqueeze(2).repeat(1, 1, classes)
    after_blank = torch.where(last < 0, total, beam.blank)  # the last label again is another one only after a blank
    longer.scatter_(2, last.clamp(min=0).unsqueeze(2), after_blank.unsqueeze(2))
    longer = longer + emissions.unsqueeze(1)
    longer[:, :, blank] = -torch.inf
    lm_score = beam.lm_score.unsqueeze(2).expand_as(longer)
    if fusion is not None:
        lm_score = lm_score + fusion.weighted(beam.lm_next) + fusion.bonus
    return _Extensions(total + emissions[:, blank : blank + 1], beam.label + repeated, longer, lm_score)


def _merge(beam: _Beam, extensions: _Extensions) -> _Extensions:
    """Add the paths of an extended prefix that is in the beam already to that prefix."""
    longest = int(beam.lengths.max()) if len(beam.lengths) else 0
    labels = beam.labels[:, :, :longest]
    ends = torch.arange(longest, device=labels.device) == (beam.lengths - 1).unsqueeze(2)
    stems = labels.masked_fill(ends, 0)  # each prefix without its last label
    one_longer = beam.lengths.unsqueeze(1) == beam.lengths.unsqueeze(2) + 1  # (B, K, K): the second is longer by one
    child = one_longer & (stems.unsqueeze(1) == labels.unsqueeze(2)).all(3)
    last = beam.last.clamp(min=0).unsqueeze(1).expand_as(child)
    gained = extensions.longer.gather(2, last).masked_fill(~child, -torch.inf)
    known = torch.zeros_like(extensions.longer, dtype=torch.int64).scatter_add_(2, last, child.long()) > 0
    label = torch.logaddexp(extensions.label, gained.amax(1))  # a prefix has one stem
    return extensions._replace(label=label, longer=extensions.longer.masked_fill(known, -torch.inf))


def _step(beam: _Beam, emissions: Tensor, real: Tensor, blank: int, fusion: ShallowFusion | None) -> _Beam:
    """The beam after a step; unchanged in the rows that are over, where ``real`` (B, 1) is false."""
    size, classes = beam.lengths.shape[1], emissions.shape[1]
    extensions = _merge(beam, _extensions(beam, emissions, blank, fusion))
    extensions = _Extensions(
        torch.where(real, extensions.blank, beam.blank),
        torch.where(real, extensions.label, beam.label),
        extensions.longer.masked_fill(~real.unsqueeze(2), -torch.inf),
        extensions.lm_score,
    )
    unchanged = torch.logaddexp(extensions.blank, extensions.label) + beam.lm_score
    scores, best = torch.cat([unchanged, (extensions.longer + extensions.lm_score).flatten(1)], 1).topk(size, 1)
    extended, cell = best >= size, (best - size).clamp(min=0)
    parent = torch.where(extended, cell.div(classes, rounding_mode="floor"), best)
    label = cell % classes
    counts = beam.lengths.gather(1, parent)
    labels = _gather_prefixes(beam.labels, parent)
    at_end = torch.arange(labels.shape[2], device=labels.device) == counts.unsqueeze(2)
    after = _Beam(
        torch.where(at_end & extended.unsqueeze(2), label.unsqueeze(2), labels),
        (counts + extended.long()).masked_fill(scores == -torch.inf, 0),
        torch.where(extended, -torch.inf, extensions.blank.gather(1, parent)),
        torch.where(extended, extensions.longer.flatten(1).gather(1, cell), extensions.label.gather(1, parent)),
        _gather_prefixes(beam.lm_next, parent),
        torch.where(extended, extensions.lm_score.flatten(1).gather(1, cell), beam.lm_score.gather(1, parent)),
        beam.lm_state,
    )
    return after if fusion is None else _step_language_model(after, parent, label, extended & (scores > -torch.inf), fusion)


def _gather_prefixes(values: Tensor, prefixes: Tensor) -> Tensor:
    """The ``values`` (B, K, ...) of some ``prefixes`` (B, N)."""
    return values.gather(1, prefixes.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _step_language_model(beam: _Beam, parent: Tensor, label: Tensor, extended: Tensor, fusion: ShallowFusion) -> _Beam:
    """Reorder the language model's state by ``parent`` (B, K), and step it by the last ``label`` (B, K) of the prefixes that
    are ``extended``, and of no other."""
    first = torch.arange(len(parent), device=parent.device).unsqueeze(1) * parent.shape[1]
    state = map_state(lambda leaf: leaf[(first + parent).flatten()], beam.lm_state)
    rows = extended.flatten().nonzero().squeeze(1)
    if not len(rows):
        return beam._replace(lm_state=state)
    log_probs, after = fusion.step(label.flatten()[rows], map_state(lambda leaf: leaf[rows], state))
    lm_next = beam.lm_next.flatten(0, 1).index_copy(0, rows, log_probs.to(beam.lm_next.dtype))
    return beam._replace(lm_next=lm_next.view_as(beam.lm_next), lm_state=replace_rows(state, rows, after))
