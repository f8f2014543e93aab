"""CTC decoding: the best path, or prefix beam search with shallow fusion of a language model.

Shapes: B rows, T steps, C labels with the blank, K prefixes of a row, N sequences asked for of a row, L labels of the longest.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_beam, check_n_best, check_number
from ..sequences import IGNORED, check_memory, length_mask, map_state, replace_rows
from .contract import check_posteriors, pad_labels
from .emissions import Emissions, likely_labels
from .prefixes import HASH, Beam, ShallowFusion, check_fusion, gather_prefixes, start_beam


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


@torch.no_grad()
def ctc_beam_search(
    log_probs: Tensor,
    lengths: Tensor | None = None,
    *,
    beam_size: int = 16,
    n_best: int = 1,
    blank: int = 0,
    fusion: ShallowFusion | None = None,
    cut: float = 0.0,
) -> Transcripts:
    """Prefix beam search: the likeliest label sequences of ``log_probs`` (B, T, C), each summed over its paths (Graves 2012,
    section 7.5.3; Hannun et al. 2014, arXiv:1408.2873), among the ``beam_size`` best prefixes of each step.

    A beam that holds all prefixes finds the best sequences. A beam of one is not the best path: it sums those of one prefix.
    Labels whose probability at a step is below ``cut`` extend no prefix there: faster where few are likely; 0 is exact.

    Raises:
        ValueError: for a beam below 1 or smaller than ``n_best``, a cut outside 0..1, or as ``ctc_loss``.
    """
    check_beam(beam_size)
    check_n_best(n_best, beam_size)
    check_number("cut", cut, least=0, most=1)
    log_probs, lengths = check_posteriors(log_probs, lengths, blank)
    rows, steps, labels = log_probs.shape
    check_memory(rows=rows, beam_size=beam_size, steps_and_labels=2 * steps + labels)
    if fusion is not None:
        check_fusion(fusion)
    beam = start_beam(log_probs, beam_size, blank, fusion)
    for time, emissions in enumerate(log_probs.unbind(1)):
        real = (time < lengths).unsqueeze(1)  # (B, 1)
        beam = _step(beam, likely_labels(emissions, blank, cut), real, blank, fusion)
    scores = beam.total + beam.lm_score
    if fusion is not None:
        scores = scores + fusion.weighted(beam.lm_next[:, :, blank])
    return _best(beam, scores, n_best)


def _best(beam: Beam, scores: Tensor, n_best: int) -> Transcripts:
    """The ``n_best`` prefixes of each row by their ``scores`` (B, K)."""
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    scores, order = scores[:, :n_best], order[:, :n_best]
    none = scores == -torch.inf
    counts = beam.lengths.gather(1, order).masked_fill(none, 0)
    longest = int(counts.max()) if counts.numel() else 0
    labels = gather_prefixes(beam.labels, order)[:, :, :longest]
    behind = torch.arange(longest, device=labels.device) >= counts.unsqueeze(2)
    return Transcripts(labels.masked_fill(behind, IGNORED), counts, scores)


class _Extensions(NamedTuple):
    """The candidates of a step: log-probabilities (B, K) of each prefix unchanged, its paths ending in a blank or in its last
    label; log-probabilities (B, K, D) of each prefix with a further label, and the language model's score of that."""

    blank: Tensor
    label: Tensor
    longer: Tensor
    lm_score: Tensor


def _extensions(beam: Beam, emissions: Emissions, blank: int, fusion: ShallowFusion | None) -> _Extensions:
    """The candidates that ``emissions`` make of each prefix."""
    last, total, everything = beam.last, beam.total, emissions.all
    repeated = everything.gather(1, last.clamp(min=0)).masked_fill(last < 0, -torch.inf)
    longer = total.unsqueeze(2)
    # The last label again is another one only after a blank.
    longer = torch.where(emissions.repeats(last), beam.blank.unsqueeze(2), longer) + emissions.likely.unsqueeze(1)
    lm_score = beam.lm_score.unsqueeze(2).expand_as(longer)
    if fusion is not None:
        lm_score = lm_score + fusion.weighted(emissions.of_likely(beam.lm_next)) + fusion.bonus
    return _Extensions(total + everything[:, blank : blank + 1], beam.label + repeated, longer, lm_score)


def _merge(beam: Beam, extensions: _Extensions, emissions: Emissions) -> _Extensions:
    """Add the paths of an extended prefix that is in the beam already to that prefix."""
    child = beam.children()
    places = emissions.places_of(beam.last).unsqueeze(1).expand_as(child)
    child, places = child & (places >= 0), places.clamp(min=0)
    gained = extensions.longer.gather(2, places).masked_fill(~child, -torch.inf)
    known = torch.zeros_like(extensions.longer, dtype=torch.int64).scatter_add_(2, places, child.long()) > 0
    label = torch.logaddexp(extensions.label, gained.amax(1))  # a prefix has one stem
    return extensions._replace(label=label, longer=extensions.longer.masked_fill(known, -torch.inf))


def _step(beam: Beam, emissions: Emissions, real: Tensor, blank: int, fusion: ShallowFusion | None) -> Beam:
    """The beam after a step; unchanged in the rows that are over, where ``real`` (B, 1) is false."""
    size, classes = beam.lengths.shape[1], emissions.labels.shape[1]
    extensions = _merge(beam, _extensions(beam, emissions, blank, fusion), emissions)
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
    label = emissions.labels.gather(1, cell % classes)
    counts = beam.lengths.gather(1, parent)
    labels, key = gather_prefixes(beam.labels, parent), beam.key.gather(1, parent)
    at_end = torch.arange(labels.shape[2], device=labels.device) == counts.unsqueeze(2)
    after = Beam(
        torch.where(at_end & extended.unsqueeze(2), label.unsqueeze(2), labels),
        (counts + extended.long()).masked_fill(scores == -torch.inf, 0),
        torch.where(extended, -torch.inf, extensions.blank.gather(1, parent)),
        torch.where(extended, extensions.longer.flatten(1).gather(1, cell), extensions.label.gather(1, parent)),
        torch.where(extended, key * HASH + label + 1, key),
        torch.where(extended, key, beam.stem_key.gather(1, parent)),
        gather_prefixes(beam.lm_next, parent),
        torch.where(extended, extensions.lm_score.flatten(1).gather(1, cell), beam.lm_score.gather(1, parent)),
        beam.lm_state,
    )
    return after if fusion is None else _step_language_model(after, parent, label, extended & (scores > -torch.inf), fusion)


def _step_language_model(beam: Beam, parent: Tensor, label: Tensor, extended: Tensor, fusion: ShallowFusion) -> Beam:
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
