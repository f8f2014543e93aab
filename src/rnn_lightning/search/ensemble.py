"""Ensembles: the step of several models together. Shapes: M models, N rows, V tokens."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_choice, shown
from ..sequences import State, Step, at_least_single

MEANS = ("probabilities", "log_probabilities")


def ensemble(steps: Sequence[Step], *, mean: str = "probabilities") -> Step:
    """The step of an ensemble of models over the same tokens; its state is the tuple of theirs.

    The mean of ``probabilities`` is a mixture. The mean of ``log_probabilities`` is the geometric mean, left as it is: its
    probabilities sum to 1 or less, and a token that one of the models rules out is ruled out.

    Raises:
        ValueError: for no steps, or an unknown mean.
    """
    if isinstance(steps, str) or not isinstance(steps, Sequence) or not all(map(callable, steps)):
        raise ValueError(f"steps must be a list of functions of tokens and a state, not {shown(steps)}")
    if not steps:
        raise ValueError("an ensemble needs at least one step, not none")
    check_choice("mean", mean, MEANS)

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        results = [one(tokens, part) for one, part in zip(steps, state, strict=True)]
        log_probs = torch.stack([at_least_single(result[0]) for result in results])  # (M, N, V)
        joint = log_probs.mean(0) if mean == "log_probabilities" else log_probs.logsumexp(0) - math.log(len(steps))
        return joint.clamp(max=0), tuple(result[1] for result in results)

    return step
