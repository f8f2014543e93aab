"""What search asks of a model and of its caller, and what it answers.

Shapes: B sentences, N rows (open hypotheses), V tokens, T tokens of the longest hypothesis, t tokens so far, P hypotheses asked
for of each sentence.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..sequences import State, map_state

Step: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]
"""The last tokens (N,) int64 and a state to the log-probabilities (N, V) of the next ones and the state after them.

Rows come sentence by sentence, in the order of the batch: one for each of the B sentences in the first step, and afterwards
equally many for each sentence that is still searched. What lies in a row beyond its hypothesis' tokens is the state's affair.
"""

Bonus: TypeAlias = Callable[[State], Tensor]
"""The state after a step to what a hypothesis that ends with that step gains (N,): zero or less, such as a coverage penalty."""

SLACK = 1e-3
"""How far above zero rounding may lift a log-probability."""


class Open(NamedTuple):
    """What a rule is told of each row: its ``tokens`` so far (N, t), and the place of its sentence in the batch (N,)."""

    tokens: Tensor
    sentences: Tensor


Rule: TypeAlias = Callable[[Tensor, Open], Tensor]
"""Log-probabilities (N, V) and the rows they belong to, to those that the search goes by: a new tensor, zero or less.

What a rule sets to -inf is never said. Whatever else it changes alters a hypothesis' score, but not its ``log_probs``.
"""


class Hypotheses(NamedTuple):
    """What was found for each sentence, best first and without duplicates.

    ``tokens`` (B, P, T) end with the token ``end`` and are padded with it; ``lengths`` (B, P) count it once. ``scores`` (B, P)
    are what the ranking went by: the sum of the log-probabilities as the rules left them, normalised for length, and the bonus.
    ``log_probs`` (B, P) are plain sums of the model's own log-probabilities. What was not found has length 0 and -inf in both.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor


def nothing_found(first: Tensor, n_best: int) -> Hypotheses:
    """The hypotheses of a batch in which none was found."""
    shape = len(first), n_best
    scores = torch.full(shape, -torch.inf, device=first.device)
    return Hypotheses(first.new_zeros(*shape, 0), first.new_zeros(shape), scores, scores.clone())


def trimmed(found: Hypotheses, end: int) -> Hypotheses:
    """The same hypotheses, the missing ones all alike, with no more columns than the longest one fills."""
    missing = found.scores == -torch.inf
    lengths = found.lengths.masked_fill(missing, 0)
    longest = int(lengths.max()) if lengths.numel() else 0
    tokens = found.tokens[:, :, :longest].masked_fill(missing.unsqueeze(2), end)
    return Hypotheses(tokens, lengths, found.scores, found.log_probs.masked_fill(missing, -torch.inf))


def distinct(found: Hypotheses, n_best: int) -> Hypotheses:
    """The ``n_best`` best of ``found`` without those that say what a better one says, sorted again."""
    found = _sorted(found)
    same = (found.tokens.unsqueeze(2) == found.tokens.unsqueeze(1)).all(3)
    said = same.tril(-1).any(2)  # (B, P): one before this one says the same
    found = _sorted(found._replace(scores=found.scores.masked_fill(said, -torch.inf)))
    return Hypotheses(*(part[:, :n_best] for part in found))


def _sorted(found: Hypotheses) -> Hypotheses:
    order = found.scores.argsort(dim=1, descending=True, stable=True)
    tokens = found.tokens.gather(1, order.unsqueeze(2).expand_as(found.tokens))
    return Hypotheses(tokens, *(part.gather(1, order) for part in found[1:]))


def apply_rules(rules: Sequence[Rule], log_probs: Tensor, rows: Open) -> Tensor:
    for rule in rules:
        log_probs = rule(log_probs, rows)
    return log_probs


def check_start(first: Tensor, state: State, end: int) -> None:
    """Refuse what no search can start from.

    Raises:
        ValueError: for first tokens that are no int64 of shape (B,), a state that is not one of B rows, or a negative ``end``.
    """
    if first.dtype != torch.int64 or first.dim() != 1:
        raise ValueError(f"first must be int64 of shape (B,), not {first.dtype} of shape {tuple(first.shape)}")
    if end < 0:
        raise ValueError(f"end must be a token, 0..V-1, not {end}")

    def check(leaf: Tensor) -> Tensor:
        if leaf.dim() == 0 or len(leaf) != len(first):
            raise ValueError(f"each tensor of state must have {len(first)} rows, one a sentence, not shape {tuple(leaf.shape)}")
        return leaf

    map_state(check, state)


def check_shape(log_probs: Tensor, rows: int, end: int) -> None:
    """Refuse what a step over ``rows`` must not return.

    Raises:
        ValueError: for another shape than (``rows``, V), or for V that leave ``end`` out.
    """
    if log_probs.dim() != 2 or len(log_probs) != rows:
        raise ValueError(f"step must return log-probabilities of shape ({rows}, V), not {tuple(log_probs.shape)}")
    if end >= log_probs.shape[1]:
        raise ValueError(f"end must be a token, 0..{log_probs.shape[1] - 1}, not {end}")


def highest(log_probs: Tensor, read: Tensor) -> Tensor:
    """The highest of ``log_probs`` (N, V), NaN if any is NaN; only rows that are ``read`` (N,) count."""
    return log_probs.amax(1).masked_fill(~read, -torch.inf).amax()


def check_highest(value: float, length: int) -> None:
    """Refuse log-probabilities by the ``highest`` that the step for token ``length`` returned.

    Raises:
        FloatingPointError: where it is NaN or infinite; -inf, a token that cannot follow, is not.
        ValueError: where it is above zero, and so no log-probability.
    """
    if not value < torch.inf:
        raise FloatingPointError(f"step returned a log-probability that is NaN or infinite (for token {length})")
    if value > SLACK:
        raise ValueError(f"step must return log-probabilities, at most 0, not {value} (for token {length})")


def parted(going_on: Tensor, count: int) -> tuple[Tensor | slice, Tensor | slice]:
    """What to index by for those that are ``going_on`` (A,), ``count`` of them, and for the others; slices where all are."""
    if count == len(going_on):
        return slice(None), slice(0, 0)
    return going_on.nonzero().squeeze(1), (~going_on).nonzero().squeeze(1)


def check_bonus(highest: Sequence[float]) -> None:
    for value in highest:
        if not value <= 0:
            raise ValueError(f"bonus must return 0 or less, not {value}")


def check_limits(min_length: int | Tensor, max_length: int | Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """The lengths that the hypotheses of each sentence may have, as tensors (B,).

    Raises:
        ValueError: where they are no integers, not one a sentence, below 1, or no length is left between them.
    """
    shortest, longest = _one_a_sentence("min_length", min_length, first), _one_a_sentence("max_length", max_length, first)
    wrong = (shortest > longest).nonzero()
    if len(wrong):
        sentence = int(wrong[0])
        least, most = int(shortest[sentence]), int(longest[sentence])
        raise ValueError(f"min_length must be at most max_length, {most} for sentence {sentence}, not {least}")
    return shortest, longest


def _one_a_sentence(name: str, value: int | Tensor, first: Tensor) -> Tensor:
    lengths = torch.as_tensor(value, device=first.device)
    if lengths.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"{name} must be int64 or int32, not {lengths.dtype}")
    if lengths.shape not in ((), first.shape):
        raise ValueError(f"{name} must be one number or have shape {tuple(first.shape)}, not {tuple(lengths.shape)}")
    if lengths.numel() and bool((lengths < 1).any()):
        raise ValueError(f"{name} must be at least 1, which counts the token that ends a sequence, not {int(lengths.min())}")
    return lengths.to(torch.int64).expand(len(first))


def check_counts(**counts: int) -> None:
    """Refuse a count below 1, by its name."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, not {count}")
