"""The options of a search in NumPy: beams, samples, constraints and the normalisation of scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_beam, check_choice, check_counts, check_number, shown
from ..items.searches import Sampling, Spelled

Scored = tuple[float, list[int]]
"""A score and the tokens that have it, without the one that ends them."""
NO_CONSTRAINTS = Spelled()
STOPS = ("exact", "first", "patience")
NORMALISATIONS: dict[str, tuple[str | None, Callable[[Any, Any, float], Any]]] = {
    "none": (None, lambda total, length, _: total),
    "power": ("alpha", lambda total, length, alpha: total / np.float32(length) ** np.float32(alpha)),
    "gnmt": ("alpha", lambda total, length, alpha: total / ((5 + np.float32(length)) / 6) ** np.float32(alpha)),
    "reward": ("reward", lambda total, length, reward: total + np.float32(reward) * np.float32(length)),
}
"""By name: the number that a normalisation has, and the score of a log-probability and a length."""
USUAL = {"power": 1.0, "gnmt": 0.6}


@dataclass(frozen=True)
class Rules:
    """The options of a search, as `beam_search` and `sample` of the library have them, and the token that ends a hypothesis."""

    end: int
    beam_size: int = 5
    n_best: int = 1
    normalisation: Mapping[str, Any] | None = None
    stop: str = "exact"
    patience: float = 1.0
    min_length: int = 1
    max_length: int | None = None
    coverage: float = 0.0
    groups: int = 1
    diversity: float = 0.0
    constraints: Spelled = NO_CONSTRAINTS
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        check_beam(self.beam_size)
        check_counts(n_best=self.n_best, min_length=self.min_length, groups=self.groups)
        if self.max_length is not None:
            check_counts(least=self.min_length, max_length=self.max_length)
            self.constraints.check_length(self.max_length)
        check_choice("stop", self.stop, STOPS)
        check_number("patience", self.patience, above=0)
        for name in ("coverage", "diversity"):
            check_number(name, getattr(self, name), least=0)
        if self.beam_size % self.groups:
            raise ValueError(f"groups must divide beam_size, {self.beam_size}, which {self.groups} does not")
        if self.constraints.required and self.groups > 1:
            raise ValueError(f"required phrases share out the whole beam: they need groups to be 1, not {self.groups}")
        if not isinstance(self.normalisation, Mapping | None):
            raise ValueError(f"normalisation must be {{name: VALUE, ...}} or None, not {shown(self.normalisation)}")
        self.score(np.float32(-1), 1)

    @property
    def width(self) -> int:
        """The hypotheses that a group keeps open."""
        return self.beam_size // self.groups

    def score(self, total: Any, length: int) -> Any:
        """The score of hypotheses of a ``total`` log-probability and a ``length``."""
        given = dict(self.normalisation or {"name": "none"})
        name = given.pop("name", None)
        check_choice("normalisation: name", name, NORMALISATIONS)
        keyword, score = NORMALISATIONS[name]
        number = given.pop(keyword, USUAL.get(name)) if keyword else 0.0
        check_number(f"normalisation: {keyword}", number)
        if given:
            raise ValueError(f"normalisation {name} has no {shown(next(iter(given)))}")
        return score(total, length, number)
