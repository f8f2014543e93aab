"""Conditional random fields and spans in plain Python, one row at a time: slow, and written without the library's own."""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rnn_lightning import Constraints, LinearChainCRF

Tags = tuple[int, ...]
NEVER = -math.inf
LONGEST = 6
"""Rows of every length up to this one are enumerated."""

INVENTORIES = {
    "BIO": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
    "BIOES": ["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER"],
}


def random_field(seed: int, num_tags: int, *, constrained: bool) -> LinearChainCRF:
    """A field in double precision with random parameters, and constraints that leave some rows no sequence."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (num_tags, num_tags), (num_tags,), (num_tags,)
    allowed = Constraints(*(torch.rand(shape, generator=generator) < 0.6 for shape in shapes))
    field = LinearChainCRF(num_tags, allowed if constrained else None).double()
    for parameter in field.parameters():
        nn.init.normal_(parameter, generator=generator)
    return field


def random_rows(seed: int, num_tags: int) -> tuple[Tensor, Tensor]:
    """Emissions (B, T, K) and lengths (B,): a row of each length 0..LONGEST, and a last step that is none's."""
    generator = torch.Generator().manual_seed(seed)
    emissions = 2 * torch.randn(LONGEST + 1, LONGEST + 1, num_tags, dtype=torch.float64, generator=generator)
    return emissions, torch.randperm(LONGEST + 1, generator=generator)


@dataclass(frozen=True)
class Enumerated:
    """Every allowed sequence of a row with its score, the best first."""

    scores: list[float]
    sequences: list[Tags]

    @property
    def log_partition(self) -> float:
        return (
            NEVER
            if not self.scores
            else self.scores[0] + math.log(math.fsum(math.exp(s - self.scores[0]) for s in self.scores))
        )

    @property
    def chances(self) -> list[tuple[float, Tags]]:
        total = self.log_partition
        return [(math.exp(score - total), tags) for score, tags in zip(self.scores, self.sequences, strict=True)]

    def tag_counts(self, steps: int, num_tags: int) -> Tensor:
        """How often each tag is expected at each step: (T, K)."""
        counts = [[0.0] * num_tags for _ in range(steps)]
        for chance, tags in self.chances:
            for step, tag in enumerate(tags):
                counts[step][tag] += chance
        return torch.tensor(counts, dtype=torch.float64)

    def move_counts(self, num_tags: int) -> Tensor:
        """How often each tag is expected to follow each, (K + 1, K + 1): the last is what stands beside the row."""
        counts = [[0.0] * (num_tags + 1) for _ in range(num_tags + 1)]
        for chance, tags in self.chances:
            for before, after in itertools.pairwise([num_tags, *tags, num_tags]):
                counts[before][after] += chance
        return torch.tensor(counts, dtype=torch.float64)


def enumerate_all(field: LinearChainCRF, constraints: Constraints | None, emissions: Tensor) -> Enumerated:
    """All allowed sequences for ``emissions`` (T, K) of one row."""
    start, moves, end, says = (part.tolist() for part in (field.start, field.transitions, field.end, emissions))
    found = []
    for tags in itertools.product(range(field.num_tags), repeat=len(says)):
        if is_allowed(constraints, tags):
            total = math.fsum(says[step][tag] for step, tag in enumerate(tags))
            total += math.fsum(moves[before][after] for before, after in itertools.pairwise(tags))
            found.append((total + (start[tags[0]] + end[tags[-1]] if tags else 0), tags))
    found.sort(key=lambda pair: -pair[0])
    return Enumerated([score for score, _ in found], [tags for _, tags in found])


def is_allowed(constraints: Constraints | None, tags: Tags) -> bool:
    if constraints is None or not tags:
        return True
    moves, starts, ends = (part.tolist() for part in constraints)
    steps = all(moves[before][after] for before, after in itertools.pairwise(tags))
    return starts[tags[0]] and ends[tags[-1]] and steps


def constraints_of(field: LinearChainCRF) -> Constraints:
    allowed = ~field.forbidden
    return Constraints(allowed[:-1, :-1], allowed[-1, :-1], allowed[:-1, -1])


GRAMMARS = {
    "BIO": re.compile(r"(?:O |B-(\w+) (?:I-\1 )*)*"),
    "BIOES": re.compile(r"(?:O |S-\w+ |B-(\w+) (?:I-\1 )*E-\1 )*"),
}


def is_written_in(scheme: str, tags: Sequence[str]) -> bool:
    """Whether the scheme's grammar makes this row of tags."""
    return GRAMMARS[scheme].fullmatch("".join(f"{tag} " for tag in tags)) is not None
