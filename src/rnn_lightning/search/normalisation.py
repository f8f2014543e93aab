"""Length normalisation: comparable scores of hypotheses of different lengths, and an upper bound on those of open ones.

A log-probability s is the sum over a hypothesis' tokens, a length L their number; both count the token that ends it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_number, shown
from ..registry import build


class Normalisation(ABC):
    """A length normalisation: a score of (s, L), and its upper bound.

    ``bound`` is right, and with it the search that stops by it, for every score that rises with s and that for a fixed s <= 0
    either never falls or never rises with L: since further tokens can only lower s, the best end of an open hypothesis costs
    nothing more and has one of the two extreme lengths. A score of another shape must bring a bound of its own.
    """

    @abstractmethod
    def score(self, log_prob: Tensor, length: Tensor) -> Tensor:
        """The score of hypotheses of ``log_prob`` and ``length``, tensors that broadcast."""

    def bound(self, log_prob: Tensor, shortest: Tensor, longest: Tensor) -> Tensor:
        """The highest score that a hypothesis of ``log_prob`` can have if it ends at a length in ``shortest``..``longest``."""
        return torch.maximum(self.score(log_prob, shortest), self.score(log_prob, longest))


@dataclass(frozen=True)
class Unnormalised(Normalisation):
    """No normalisation: s itself, which favours short sequences."""

    def score(self, log_prob: Tensor, length: Tensor) -> Tensor:
        return log_prob


@dataclass(frozen=True)
class LengthPower(Normalisation):
    """s / L^alpha; with alpha 1 the mean log-probability of a token, with 0 s itself."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha)

    def score(self, log_prob: Tensor, length: Tensor) -> Tensor:
        return log_prob / length.to(log_prob.dtype) ** self.alpha


@dataclass(frozen=True)
class GNMTLength(Normalisation):
    """s / ((5 + L) / 6)^alpha (Wu et al. 2016, arXiv:1609.08144, equation 14)."""

    alpha: float = 0.6

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha)

    def score(self, log_prob: Tensor, length: Tensor) -> Tensor:
        return log_prob / ((5 + length.to(log_prob.dtype)) / 6) ** self.alpha


@dataclass(frozen=True)
class LengthReward(Normalisation):
    """s + reward * L (He et al. 2016, "Improved neural machine translation with SMT features")."""

    reward: float

    def __post_init__(self) -> None:
        check_number("reward", self.reward)

    def score(self, log_prob: Tensor, length: Tensor) -> Tensor:
        return log_prob + self.reward * length.to(log_prob.dtype)


def as_normalisation(normalisation: Normalisation | None) -> Normalisation:
    """``normalisation``; ``Unnormalised`` where it is ``None``.

    Raises:
        ValueError: for anything else.
    """
    if normalisation is not None and not isinstance(normalisation, Normalisation):
        raise ValueError(f"normalisation must be a Normalisation, or None, not {shown(normalisation)}")
    return Unnormalised() if normalisation is None else normalisation


NORMALISATIONS: dict[str, type[Normalisation]] = {
    "none": Unnormalised,
    "power": LengthPower,
    "gnmt": GNMTLength,
    "reward": LengthReward,
}


def make_normalisation(settings: Mapping[str, Any] | None) -> Normalisation:
    """The normalisation of plain ``settings``, such as ``{"name": "gnmt", "alpha": 0.6}``; ``None``: unnormalised.

    Raises:
        ValueError: for an unknown name, or a keyword that it does not have.
    """
    return build("normalisation", NORMALISATIONS, {"name": "none"} if settings is None else settings)
