"""The best path of a linear chain: the recursion and the backtracking of Viterbi, into memory that is taken once.

Shapes: B rows, T steps, K tags; emissions (T, K, B) and transitions (K + 1, K + 1) as in `recursion`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..sequences import IGNORED

BETWEEN = 16
"""Steps from one shift to the next: alphas grow little in so many, and a shift costs as much as a step."""
FEW = 8_192
"""Up to so many sums a step NumPy is faster than PyTorch: calls count then, which it makes in a fraction of the time."""


def best_paths(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The tags (B, T) of the path of each row that scores highest, and its score (B,).

    Tags are `IGNORED` behind a row's length, and where no path is allowed (score -inf); a row without a step has the score 0.
    """
    between, sizes = transitions.cpu().numpy(), lengths.cpu().numpy()
    if emissions.device.type == "cpu" and emissions[0].numel() * len(between) <= FEW:
        alphas, shifts = best_scores(emissions.numpy(), between, np)
    else:
        alphas, shifts = (part.cpu().numpy() for part in best_scores(emissions, transitions, torch))
    rows, steps = np.arange(len(sizes)), np.maximum(sizes - 1, 0)
    ends = alphas[steps, :, rows] + between[:-1, -1]  # (B, K)
    scores = ends.max(1) + shifts.cumsum(0)[steps // BETWEEN, rows]
    scores[sizes == 0] = 0
    tags = backtrack(alphas, between[:-1, :-1], ends.argmax(1), steps)
    tags[(np.arange(len(tags))[:, None] >= sizes) | (scores == -np.inf)] = IGNORED
    return torch.from_numpy(tags).to(lengths.device).t(), torch.from_numpy(scores).to(lengths.device)


def best_scores(emissions: Any, transitions: Any, library: Any) -> tuple[Any, Any]:
    """The scores alpha (T, K, B) of the best path that ends in each tag, less all shifts (T / `BETWEEN`, B) so far.

    A shift makes the row's highest alpha zero, so that rounding does not grow with T. ``library`` is ``torch`` or ``numpy``, as
    the arguments and the results are: the two have the same functions.
    """
    between, alphas, shifts = transitions[:-1, :-1, None], library.empty_like(emissions), []
    arrived = library.empty_like(emissions[0])
    arrived[:] = transitions[-1, :-1, None]
    scores = between + emissions[0]  # (K, K, B), to be written over
    lowest = float(library.finfo(emissions.dtype).min)
    for time, (alpha, emission) in enumerate(zip(alphas, emissions, strict=True)):
        library.add(arrived, emission, out=alpha)
        if time % BETWEEN == 0:  # a row that no allowed sequence has come through is all -inf
            shifts.append(library.clip(library.amax(alpha, 0), lowest, None))
            library.subtract(alpha, shifts[-1], out=alpha)
        library.add(alpha[:, None], between, out=scores)
        library.amax(scores, 0, out=arrived)
    return alphas, library.stack(shifts)


def backtrack(alphas: np.ndarray, transitions: np.ndarray, last: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The tags (T, B) of the paths that end with ``last`` (B,) at the ``steps`` (B,), counted from 0.

    No backpointers are stored: predecessors are found again by the sums that made the alphas, the same to the bit.
    """
    path = np.empty((len(alphas), len(last)), np.int64)
    path[-1] = later = last
    waiting = bool((steps + 1 < len(alphas)).any())
    for time in range(len(alphas) - 2, -1, -1):
        scores = transitions.take(later, 1)
        scores += alphas[time]
        later = scores.argmax(0, out=path[time])
        if waiting:
            np.copyto(later, last, where=steps <= time)
    return path
