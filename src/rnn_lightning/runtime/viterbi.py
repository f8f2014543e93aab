"""The best path of a linear chain of tags.

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
