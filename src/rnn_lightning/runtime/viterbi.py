"""The best path of a linear chain of tags, and the marginal probabilities of tags.

Shapes: T steps, K tags.
"""

import numpy as np
from numpy.typing import NDArray


def best_path(emissions: NDArray[np.float32], transitions: NDArray[np.float32]) -> list[int]:
    """The tags (T,) of the path that scores highest by ``emissions`` (T, K) and ``transitions`` (K + 1, K + 1).

    The last row and column of the transitions are those from the boundary and to it; -inf is forbidden.

    Raises:
        FloatingPointError: where no path is allowed, or a number is NaN.
    """
    between = transitions[:-1, :-1].astype(np.float64)
    scores, before = transitions[-1, :-1] + emissions[0].astype(np.float64), []
    for emission in emissions[1:]:
        candidates = scores[:, None] + between  # (K, K)
        before.append(candidates.argmax(0))
        scores = candidates.max(0) + emission
    scores = scores + transitions[:-1, -1]
    last = int(scores.argmax())
    if not np.isfinite(scores[last]):
        raise FloatingPointError("no sequence of tags is allowed, or a score is not finite: the network gives no numbers")
    path = [last]
    for pointers in reversed(before):
        path.append(int(pointers[path[-1]]))
    return path[::-1]


def marginals(emissions: NDArray[np.float32], transitions: NDArray[np.float32]) -> NDArray[np.float64]:
    """The marginal probability (T, K) of each tag at each step, by the forward-backward algorithm in logarithms; the arguments
    are those of `best_path`.

    Raises:
        FloatingPointError: where no path is allowed, or a number is NaN.
    """
    between, scores = transitions[:-1, :-1].astype(np.float64), emissions.astype(np.float64)
    forward, backward = [transitions[-1, :-1] + scores[0]], [transitions[:-1, -1].astype(np.float64)]
    for emission in scores[1:]:
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + between, 0) + emission)
    for emission in scores[:0:-1]:
        backward.append(np.logaddexp.reduce(between + emission + backward[-1], 1))
    together = np.array(forward) + np.array(backward[::-1])
    likely = np.exp(together - np.logaddexp.reduce(together, 1, keepdims=True))
    if not np.isfinite(likely).all():
        raise FloatingPointError("no sequence of tags is allowed, or a score is not finite: the network gives no numbers")
    return likely
