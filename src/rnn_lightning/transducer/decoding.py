"""Decoding of an RNN transducer: the likeliest label at each place, or a beam over steps.

Shapes: B rows, T steps, J features of the joint network, C labels with the blank, K hypotheses, L labels of the longest.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_beam, check_counts, check_n_best
from ..ctc.contract import pad_labels
from ..ctc.decoding import Transcripts
from ..sequences import State, map_state, replace_rows


class Machine(NamedTuple):
    """What decoding asks of a transducer: ``start`` makes the state before the first label of any number of rows, ``predict``
    reads labels (K,) from a state on and gives features (K, J) with the state after them, and ``join`` makes log-probabilities
    (K, C) of the features of a step and of these. The label that is read first is the blank."""

    start: Callable[[int], State]
    predict: Callable[[Tensor, State], tuple[Tensor, State]]
    join: Callable[[Tensor, Tensor], Tensor]
    blank: int


class Said(NamedTuple):
    """What is known after the labels so far: the features (B, J) that predict the next one, and the state."""

    predicted: Tensor
    state: State


def start(machine: Machine, rows: int, device: torch.device) -> Said:
    """Before the first label of so many ``rows``."""
    return Said(*machine.predict(torch.full((rows,), machine.blank, device=device), machine.start(rows)))


@torch.no_grad()
def transducer_greedy(
    machine: Machine, encoded: Tensor, lengths: Tensor, said: Said | None = None, *, per_step: int = 4
) -> tuple[list[list[int]], Tensor, Said]:
    """The labels of each row of ``encoded`` (B, T, J), the likeliest at each place, the log-probabilities (B,) of these paths,
    and what to go on from. At most ``per_step`` labels are said at a step, then the blank.

    Raises:
        ValueError: for ``per_step`` below 1.
    """
    check_counts(per_step=per_step)
    rows = len(encoded)
    said = start(machine, rows, encoded.device) if said is None else said
    labels: list[list[int]] = [[] for _ in range(rows)]
    scores, lengths = encoded.new_zeros(rows), lengths.to(encoded.device)
    for time, features in enumerate(encoded.unbind(1)):
        here = time < lengths
        for count in range(per_step + 1):
            log_probs, best = machine.join(features, said.predicted).max(1)
            if count == per_step:
                log_probs, best = machine.join(features, said.predicted)[:, machine.blank], torch.full_like(best, machine.blank)
            scores = scores + log_probs.masked_fill(~here, 0)
            here = here & (best != machine.blank)
            if not len(more := here.nonzero().squeeze(1)):
                break
            predicted, state = machine.predict(best[more], map_state(lambda leaf, more=more: leaf[more], said.state))
            said = Said(said.predicted.index_copy(0, more, predicted), replace_rows(said.state, more, state))
            for row, label in zip(more.tolist(), best[more].tolist(), strict=True):
                labels[row].append(label)
    return labels, scores, said


class Hypotheses(NamedTuple):
    """The ``labels`` of K hypotheses, their log-probabilities ``scores`` (K,), summed over alignments, and what follows."""

    labels: list[tuple[int, ...]]
    scores: Tensor
    said: Said

    def of(self, rows: list[int], scores: Tensor) -> "Hypotheses":
        """Those of some ``rows``, with other scores."""
        predicted, state = self.said.predicted[rows], map_state(lambda leaf: leaf[rows], self.said.state)
        return Hypotheses([self.labels[row] for row in rows], scores, Said(predicted, state))


@torch.no_grad()
def transducer_beam_search(
    machine: Machine, encoded: Tensor, lengths: Tensor, *, beam_size: int = 8, n_best: int = 1, per_step: int = 4
) -> Transcripts:
    """The likeliest label sequences of ``encoded`` (B, T, J), each summed over its alignments: the ``beam_size`` best
    hypotheses stay after each step, and after each of at most ``per_step`` labels within one (time-synchronous search, after
    Graves 2012, section 2.5; Saon et al. 2020, "Alignment-length synchronous decoding for RNN transducer", section 2).

    Raises:
        ValueError: for a number below 1, or a beam smaller than ``n_best``.
    """
    check_beam(beam_size)
    check_n_best(n_best, beam_size)
    check_counts(per_step=per_step)
    found: list[tuple[list[tuple[int, ...]], Tensor]] = []
    for row, length in zip(encoded, lengths.tolist(), strict=True):
        beam = Hypotheses([()], row.new_zeros(1), start(machine, 1, row.device))
        for features in row[:length]:
            beam = _step(machine, beam, features, beam_size, per_step)
        found.append((beam.labels[:n_best], beam.scores[:n_best]))
    best = [torch.tensor(one, dtype=torch.int64) for labels, _ in found for one in (*labels, *[()] * (n_best - len(labels)))]
    labels, counts = pad_labels(best, encoded)
    scores = torch.stack([torch.cat([one, one.new_full((n_best - len(one),), -torch.inf)]) for _, one in found])
    return Transcripts(labels.to(encoded.device).unflatten(0, (-1, n_best)), counts.view(-1, n_best), scores)


def _step(machine: Machine, beam: Hypotheses, features: Tensor, beam_size: int, per_step: int) -> Hypotheses:
    """The best hypotheses after a step with the ``features`` (J,)."""
    ended: dict[tuple[int, ...], tuple[float, Hypotheses, int]] = {}
    for count in range(per_step + 1):
        log_probs = machine.join(features.expand(len(beam.labels), -1), beam.said.predicted)  # (K, C)
        blanks = (beam.scores + log_probs[:, machine.blank]).tolist()
        for row, (labels, score) in enumerate(zip(beam.labels, blanks, strict=True)):
            before = ended[labels][0] if labels in ended else -math.inf
            ended[labels] = _log_add(before, score), beam, row
        if count < per_step:
            beam = _longer(machine, beam, log_probs, beam_size)
    best = sorted(ended.values(), key=lambda one: -one[0])[:beam_size]
    parts = [held.of([row], held.scores.new_tensor([score])) for score, held, row in best]
    predicted = torch.cat([part.said.predicted for part in parts])
    first, *others = (part.said.state for part in parts)
    state = map_state(lambda *leaves: torch.cat(leaves), first, *others)
    scores = torch.cat([part.scores for part in parts])
    return Hypotheses([labels for part in parts for labels in part.labels], scores, Said(predicted, state))


def _longer(machine: Machine, beam: Hypotheses, log_probs: Tensor, beam_size: int) -> Hypotheses:
    """The best hypotheses of one label more."""
    sums = (beam.scores.unsqueeze(1) + log_probs).index_fill(
        1, torch.tensor([machine.blank], device=log_probs.device), -torch.inf
    )
    scores, best = sums.flatten().topk(min(beam_size, sums.numel() - len(sums)))
    rows, labels = best.div(sums.shape[1], rounding_mode="floor"), best % sums.shape[1]
    chosen = beam.of(rows.tolist(), scores)
    said = Said(*machine.predict(labels, chosen.said.state))
    return Hypotheses([(*one, label) for one, label in zip(chosen.labels, labels.tolist(), strict=True)], scores, said)


def _log_add(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    high, low = max(one, other), min(one, other)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def as_transcripts(labels: list[list[int]], scores: Tensor) -> Transcripts:
    """One sequence of ``labels`` of each row with its score."""
    rows, counts = pad_labels([torch.tensor(row, dtype=torch.int64) for row in labels], scores)
    return Transcripts(rows.to(scores.device).unsqueeze(1), counts.unsqueeze(1), scores.unsqueeze(1))
