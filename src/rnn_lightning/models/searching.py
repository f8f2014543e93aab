"""Where the search of an encoder-decoder begins: one model, several together, or with a language model.

Shapes: B sources, S steps of the longest, F features of a source, N rows of a step, V target tokens.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..checks import check_number
from ..decoder import coverage_penalty
from ..search import Bonus, Step, ensemble, shallow_fusion
from ..sequences import State, at_least_single
from ..subsampling import steps_left

if TYPE_CHECKING:
    from .language_model import LanguageModel
    from .seq2seq import Seq2Seq


class Start(NamedTuple):
    """What every search takes first: a step, its state and the tokens (B,) that it reads first; the token that ends; a bonus,
    if there is one; and the greatest lengths (B,) where nothing else is said."""

    step: Step
    state: State
    first: Tensor
    end: int
    bonus: Bonus | None
    longest: Tensor


def start_of(system: "Seq2Seq", sources: Tensor, lengths: Tensor | None, coverage: float = 0.0) -> Start:
    """The start of ``system`` with ``sources``, (B, S) or (B, S, F); ``coverage``: see ``Seq2Seq.translate``.

    Raises:
        ValueError: for a coverage without attention, or sources that the system cannot read.
    """
    check_number("coverage", coverage, least=0)
    if coverage and system.decoder.attention is None:
        raise ValueError("coverage counts what attention looked at: it needs an attention, not None")
    memory = system.encode(sources, lengths)
    step, state, bonus = system.stepper(memory), system.decoder.start(memory), None
    if coverage:
        step = partial(system.decoder.covering_step, memory)
        state = state, at_least_single(memory.values.new_zeros(memory.values.shape[:2]))
        bonus = partial(coverage_penalty, memory, coverage)
    longest = 2 * steps_left(system.subsampling, sources, lengths).to(sources.device) + 10
    return Start(step, state, system.start(len(sources), sources.device), system.end, bonus, longest)


def together(starts: Sequence[Start]) -> Start:
    """The start of an ensemble: the mean of the models' probabilities, and of their bonuses."""
    first, *_ = starts
    if len(starts) == 1:
        return first
    bonuses = [start.bonus for start in starts if start.bonus is not None]

    def bonus(state: State) -> Tensor:
        return torch.stack([one(part) for one, part in zip(bonuses, state, strict=True)]).mean(0)

    longest = torch.stack([start.longest for start in starts]).amax(0)
    step = ensemble([start.step for start in starts])
    return Start(step, tuple(start.state for start in starts), first.first, first.end, bonus if bonuses else None, longest)


def with_language_model(start: Start, model: "LanguageModel", weight: float) -> Start:
    """The ``start`` with the shallow fusion of ``model``, which reads the same tokens from the same first one on.

    Raises:
        ValueError: for a negative weight.
    """
    before = model.network.start(torch.zeros(len(start.first), 1, model.embedding.embedding_dim, device=start.first.device))
    bonus = start.bonus

    def of_both(state: State) -> Tensor:
        assert bonus is not None and isinstance(state, tuple)
        return bonus(state[0])

    step = shallow_fusion(start.step, model.step, weight)
    return start._replace(step=step, state=(start.state, before), bonus=of_both if bonus else None)
