"""The types of a search: step, rule, bonus and hypotheses; and the checks of its arguments.

Shapes: B sentences, N rows (open hypotheses), V tokens, T tokens of the longest hypothesis, t tokens so far, P hypotheses asked
for of each sentence.

A search calls a step with the rows sentence by sentence, in the order of the batch: one for each of the B sentences in the
first step, and afterwards equally many for each sentence that is still searched. Whatever a row depends on besides its tokens
must lie in the state.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..checks import check_counts, is_whole, shown
from ..sequences import State, Step, at_least_single, check_state, check_tensors, map_state

Bonus: TypeAlias = Callable[[State], Tensor]
"""A penalty on finished hypotheses: the state after a step to what is added to the score (N,) of those that end with that step;
zero or less, such as a coverage penalty."""

SLACK = 1e-3
"""The tolerance for log-probabilities that rounding lifts above zero."""


class Open(NamedTuple):
    """The open hypotheses as a rule sees them: their ``tokens`` so far (N, t), and the index of each one's sentence (N,)."""

    tokens: Tensor
    sentences: Tensor


Rule: TypeAlias = Callable[[Tensor, Open], Tensor]
"""A constraint on the next token: log-probabilities (N, V) and the open hypotheses to the log-probabilities that rank the
continuations; a new tensor, zero or less.

A token at -inf is never chosen. Any other change alters a hypothesis' score, but not its ``log_probs``.
"""


class Hypotheses(NamedTuple):
    """The results of a search: for each sentence its hypotheses, best first and without duplicates.

    ``tokens`` (B, P, T) end with the token ``end`` and are padded with it; ``lengths`` (B, P) count it once. ``scores`` (B, P)
    rank them: the sum of the log-probabilities as the rules left them, normalised for length, and the bonus. ``log_probs``
    (B, P) are plain sums of the model's own log-probabilities. A missing hypothesis has length 0 and -inf in both.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor


def no_hypotheses(first: Tensor, n_best: int) -> Hypotheses:
    """A result without any hypothesis, for a batch like ``first`` (B,)."""
    shape = len(first), n_best
    scores = torch.full(shape, -torch.inf, device=first.device)
    return Hypotheses(first.new_zeros(*shape, 0), first.new_zeros(shape), scores, scores.clone())


def trim_padding(hypotheses: Hypotheses, end: int) -> Hypotheses:
    """The same hypotheses with missing ones reset, cut to the length of the longest."""
    missing = hypotheses.scores == -torch.inf
    lengths = hypotheses.lengths.masked_fill(missing, 0)
    longest = int(lengths.max()) if lengths.numel() else 0
    tokens = hypotheses.tokens[:, :, :longest].masked_fill(missing.unsqueeze(2), end)
    return Hypotheses(tokens, lengths, hypotheses.scores, hypotheses.log_probs.masked_fill(missing, -torch.inf))


def without_duplicates(hypotheses: Hypotheses, n_best: int) -> Hypotheses:
    """The ``n_best`` best ``hypotheses``, sorted, without those of the same tokens as a better one."""
    hypotheses = _sorted(hypotheses)
    same = (hypotheses.tokens.unsqueeze(2) == hypotheses.tokens.unsqueeze(1)).all(3)
    duplicate = same.tril(-1).any(2)  # (B, P): an earlier one has the same tokens
    hypotheses = _sorted(hypotheses._replace(scores=hypotheses.scores.masked_fill(duplicate, -torch.inf)))
    return Hypotheses(*(part[:, :n_best] for part in hypotheses))


def _sorted(hypotheses: Hypotheses) -> Hypotheses:
    order = hypotheses.scores.argsort(dim=1, descending=True, stable=True)
    tokens = hypotheses.tokens.gather(1, order.unsqueeze(2).expand_as(hypotheses.tokens))
    return Hypotheses(tokens, *(part.gather(1, order) for part in hypotheses[1:]))


def apply_rules(rules: Sequence[Rule], log_probs: Tensor, rows: Open) -> Tensor:
    """``log_probs`` (N, V) after all ``rules``, one after the other."""
    for rule in rules:
        log_probs = rule(log_probs, rows)
    return log_probs


def check_start(first: Tensor, state: State, end: int) -> None:
    """Check the first tokens, the state and the end token of a search.

    Raises:
        ValueError: for first tokens that are no int64 of shape (B,), a state that is not one of B rows, or a negative ``end``.
    """
    check_tensors(first=first)
    check_counts(least=0, end=end)
    if first.dtype != torch.int64 or first.dim() != 1:
        raise ValueError(f"first must be int64 of shape (B,), not {first.dtype} of shape {tuple(first.shape)}")

    def check(leaf: Tensor) -> Tensor:
        if leaf.dim() == 0 or len(leaf) != len(first):
            raise ValueError(f"each tensor of state must have {len(first)} rows, one a sentence, not shape {tuple(leaf.shape)}")
        return leaf

    check_state(state)
    map_state(check, state)


def check_callables(step: Any, rules: Any = (), bonus: Any = None) -> None:
    """Refuse a step, rules or a bonus that cannot be called.

    Raises:
        ValueError: naming the first that is wrong.
    """
    if not callable(step):
        raise ValueError(f"step must be a function of tokens and a state, not {shown(step)}")
    if isinstance(rules, str) or not isinstance(rules, Sequence) or not all(map(callable, rules)):
        raise ValueError(f"rules must be a list of functions, see Rule, not {shown(rules)}")
    if bonus is not None and not callable(bonus):
        raise ValueError(f"bonus must be a function of a state, or None, not {shown(bonus)}")


def are_tokens(phrase: Any) -> bool:
    """Whether ``phrase`` is one token or more."""
    return isinstance(phrase, Sequence) and len(phrase) > 0 and all(map(is_whole, phrase))


def take(step: Step, tokens: Tensor, state: State, end: int) -> tuple[Tensor, State]:
    """The log-probabilities (N, V) of ``step`` over ``tokens`` (N,), in single precision at least, and the state after it.

    Raises:
        ValueError: for another shape than (N, V), or for V that leave ``end`` out.
    """
    answer = step(tokens, state)
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], Tensor):
        raise ValueError(f"step must return log-probabilities and a state, not {shown(answer)}")
    log_probs, rows = answer[0], len(tokens)
    if log_probs.dim() != 2 or len(log_probs) != rows or not log_probs.is_floating_point():
        raise ValueError(f"step must return log-probabilities of shape ({rows}, V), not {tuple(log_probs.shape)}")
    if end >= log_probs.shape[1]:
        raise ValueError(f"end must be a token, 0..{log_probs.shape[1] - 1}, not {end}")
    return at_least_single(log_probs), answer[1]


def max_log_prob(log_probs: Tensor, read: Tensor) -> Tensor:
    """The maximum of ``log_probs`` (N, V) over the rows that are ``read`` (N,); NaN if any of these is NaN."""
    return log_probs.amax(1).masked_fill(~read, -torch.inf).amax()


def check_max_log_prob(value: float, length: int) -> None:
    """Check the maximum of the log-probabilities that the step for token ``length`` returned.

    Raises:
        FloatingPointError: where it is NaN or infinite; -inf, a token that cannot follow, is not.
        ValueError: where it is above zero, and so no log-probability.
    """
    if not value < torch.inf:
        raise FloatingPointError(f"step returned a log-probability that is NaN or infinite (for token {length})")
    if value > SLACK:
        raise ValueError(f"step must return log-probabilities, at most 0, not {value} (for token {length})")


def split_index(going_on: Tensor, count: int) -> tuple[Tensor | slice, Tensor | slice]:
    """The indices of the ``count`` sentences that are ``going_on`` (A,), and of the others; slices where all go on."""
    if count == len(going_on):
        return slice(None), slice(0, 0)
    return going_on.nonzero().squeeze(1), (~going_on).nonzero().squeeze(1)


def check_bonus(maxima: Sequence[float]) -> None:
    """Check the largest values that a bonus returned: zero or less."""
    for value in maxima:
        if not value <= 0:
            raise ValueError(f"bonus must return 0 or less, not {value}")


def check_limits(min_length: int | Tensor, max_length: int | Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest length of each sentence's hypotheses, as tensors (B,).

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
    if not isinstance(value, Tensor):
        check_counts(**{name: value})
    lengths = torch.as_tensor(value, device=first.device)
    if lengths.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"{name} must be int64 or int32, not {lengths.dtype}")
    if lengths.shape not in ((), first.shape):
        raise ValueError(f"{name} must be one number or have shape {tuple(first.shape)}, not {tuple(lengths.shape)}")
    if lengths.numel() and bool((lengths < 1).any()):
        raise ValueError(f"{name} must be at least 1, which counts the token that ends a sequence, not {int(lengths.min())}")
    return lengths.to(torch.int64).expand(len(first))
