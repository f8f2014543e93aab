"""CTC by enumeration: every path, what it spells, what it weighs."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby, product
from math import log

import numpy as np
import torch
from torch import Tensor

Labels = tuple[int, ...]


def spelled(path: Labels, blank: int) -> Labels:
    return tuple(label for label, _ in groupby(path) if label != blank)


def paths(log_probs: np.ndarray) -> Iterator[tuple[Labels, float]]:
    """Every path over ``log_probs`` (T, C), with its log-probability."""
    steps, labels = log_probs.shape
    for path in product(range(labels), repeat=steps):
        yield path, float(sum(log_probs[time, label] for time, label in enumerate(path)))


def sequences(log_probs: np.ndarray, blank: int) -> dict[Labels, float]:
    """The log-likelihood of every label sequence that can be spelled."""
    found: dict[Labels, float] = defaultdict(float)
    for path, weight in paths(log_probs):
        found[spelled(path, blank)] += np.exp(weight)
    return {labels: log(likelihood) for labels, likelihood in found.items() if likelihood > 0}


def best_path(log_probs: np.ndarray, labels: Labels, blank: int) -> tuple[Labels, float] | None:
    """The likeliest path that spells ``labels``."""
    fitting = [(path, weight) for path, weight in paths(log_probs) if spelled(path, blank) == labels]
    return max(fitting, key=lambda pair: pair[1]) if fitting else None


def posteriors(rows: int, steps: int, labels: int, seed: int, sharpness: float = 1.0) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(rows, steps, labels, generator=draws, dtype=torch.float64)).log_softmax(2)


def reference_search(
    log_probs: np.ndarray,
    beam: int,
    blank: int,
    *,
    language: Callable[[Labels], np.ndarray] | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
) -> list[tuple[Labels, float]]:
    """Prefix beam search of one row with dictionaries, as Hannun et al. (2014) write it down."""
    nothing = -np.inf
    held: dict[Labels, tuple[float, float]] = {(): (0.0, nothing)}

    def added(prefix: Labels) -> float:
        if language is None:
            return 0.0
        return sum(weight * language(prefix[:at])[label] + bonus for at, label in enumerate(prefix))

    for emitted in log_probs:
        after: dict[Labels, list[float]] = defaultdict(lambda: [nothing, nothing])
        for prefix, (ends_blank, ends_label) in held.items():
            total = np.logaddexp(ends_blank, ends_label)
            after[prefix][0] = np.logaddexp(after[prefix][0], total + emitted[blank])
            for label, said in enumerate(emitted):
                if label == blank:
                    continue
                if prefix and prefix[-1] == label:
                    after[prefix][1] = np.logaddexp(after[prefix][1], ends_label + said)
                    grown = ends_blank + said
                else:
                    grown = total + said
                longer = (*prefix, label)
                after[longer][1] = np.logaddexp(after[longer][1], grown)
        ranked = sorted(after, key=lambda prefix: -(np.logaddexp(*after[prefix]) + added(prefix)))[:beam]
        held = {prefix: (after[prefix][0], after[prefix][1]) for prefix in ranked}
    ends = {p: np.logaddexp(*both) + added(p) + (weight * language(p)[blank] if language else 0.0) for p, both in held.items()}
    return sorted(ends.items(), key=lambda pair: -pair[1])
