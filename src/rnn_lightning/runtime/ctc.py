"""CTC decoding of one signal: the best path, prefix beam search, and the times of labels.

Shapes: T steps, C labels with the blank, U labels of a target, S = 2 U + 1 states of its lattice.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

LogProbs: TypeAlias = NDArray[np.float32]
Scored: TypeAlias = tuple[list[int], float]
"""Labels, and their log-probability."""
NEVER = float("-inf")


def best_path(log_probs: LogProbs, blank: int) -> Scored:
    """The labels of the likeliest path of ``log_probs`` (T, C), without repeats and blanks."""
    path = log_probs.argmax(1)
    new = np.concatenate([[True], path[1:] != path[:-1]])
    return path[new & (path != blank)].tolist(), float(log_probs.max(1).sum())


def beam_search(log_probs: LogProbs, blank: int, beam_size: int) -> list[Scored]:
    """The likeliest label sequences of ``log_probs`` (T, C), each summed over its paths, the best first.

    Prefix beam search over the ``beam_size`` best prefixes of each step (Graves 2012, section 7.5.3; Hannun et al. 2014,
    arXiv:1408.2873).
    """
    beam = Beam([()], np.zeros(1), np.full(1, NEVER))
    for step in log_probs.astype(np.float64):
        beam = beam.after(step, blank, beam_size)
    scores = np.logaddexp(beam.in_blank, beam.in_label)
    return [(list(prefix), score) for prefix, score in zip(beam.prefixes, scores.tolist(), strict=True)]


class Beam(NamedTuple):
    """K prefixes, and the log-probabilities (K,) of their paths that end in a blank, and in their last label."""

    prefixes: list[tuple[int, ...]]
    in_blank: NDArray[np.float64]
    in_label: NDArray[np.float64]

    def after(self, step: NDArray[np.float64], blank: int, size: int) -> "Beam":
        """The ``size`` best prefixes after a ``step`` (C,) of log-probabilities, the best first."""
        total, labels = np.logaddexp(self.in_blank, self.in_label), len(step)
        last = np.array([prefix[-1] if prefix else -1 for prefix in self.prefixes])
        some = np.flatnonzero(last >= 0)
        repeats = np.full(len(last), NEVER)
        repeats[some] = self.in_label[some] + step[last[some]]
        longer = total[:, None] + step
        longer[some, last[some]] = self.in_blank[some] + step[last[some]]  # the last label again, behind a blank
        longer[:, blank] = NEVER
        places = {prefix: number for number, prefix in enumerate(self.prefixes)}
        for number, prefix in enumerate(self.prefixes):
            if prefix and (stem := places.get(prefix[:-1])) is not None:
                repeats[number] = np.logaddexp(repeats[number], longer[stem, prefix[-1]])
                longer[stem, prefix[-1]] = NEVER
        in_blank = np.concatenate([total + step[blank], np.full(longer.size, NEVER)])
        in_label = np.concatenate([repeats, longer.ravel()])
        scores = np.logaddexp(in_blank, in_label)
        best = [cell for cell in np.argsort(-scores, kind="stable")[:size].tolist() if scores[cell] > NEVER]
        stems = [(cell, *divmod(cell - len(last), labels)) for cell in best]
        kept = [self.prefixes[cell] if cell < len(last) else (*self.prefixes[stem], label) for cell, stem, label in stems]
        return Beam(kept, in_blank[best], in_label[best])


def align(log_probs: LogProbs, labels: Sequence[int], blank: int) -> list[tuple[int, int, float]]:
    """From which step, to before which, each of ``labels`` (U,) is emitted on the likeliest path that spells them, and the mean
    probability of the label in these steps."""
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    path = lattice_path(log_probs[:, states].astype(np.float64), states)
    spans = []
    for number, label in enumerate(labels):
        steps = np.flatnonzero(path == 2 * number + 1)
        confidence = float(np.exp(log_probs[steps, label]).mean()) if len(steps) else 0.0
        spans.append((int(steps[0]) if len(steps) else 0, int(steps[-1]) + 1 if len(steps) else 0, confidence))
    return spans


def lattice_path(emissions: NDArray[np.float64], states: NDArray[np.int64]) -> NDArray[np.int64]:
    """The states (T,) of the likeliest path through the lattice, whose ``states`` (S,) emit as ``emissions`` (T, S) say."""
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    scores, pointers = np.full(len(states), NEVER), []
    scores[0] = 0  # before the first step: as if a blank had been emitted
    for emission in emissions:
        back = np.stack([scores, moved(scores, 1), np.where(skips, moved(scores, 2), NEVER)])
        pointers.append(back.argmax(0))
        scores = back.max(0) + emission
    state = len(states) - 1 - int(scores[-2:].argmax() == 0 and len(states) > 1)
    path = np.empty(len(emissions), np.int64)
    for time in range(len(emissions) - 1, -1, -1):
        path[time] = state
        state -= pointers[time][state]
    return path


def moved(scores: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """``scores`` (S,) of the state ``by`` earlier."""
    return np.concatenate([np.full(min(by, len(scores)), NEVER), scores[:-by]])[: len(scores)]
