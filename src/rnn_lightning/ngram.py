"""An n-gram language model with Witten-Bell interpolation, a `Step` for any search.

Shapes: N rows, V tokens, H observed contexts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from .checks import check_counts, is_whole, shown
from .sequences import State, check_tensors

Context = tuple[int, ...]


class NGram:
    """An n-gram model with Witten-Bell interpolation: P(w | h) = (c(h w) + t(h) P(w | h')) / (c(h) + t(h)): h' is h without its
    first token, t(h) the number of distinct tokens observed after h (Witten and Bell 1991; Chen and Goodman 1996,
    cmp-lg/9606011, section 2.4). The unigram P(w) is interpolated with 1 / V.

    ``end`` stands for the text's beginning and its end. A state is the index of the longest observed context.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], *, vocab_size: int, order: int, end: int) -> None:
        """Estimate the model from ``sequences``.

        Args:
            order: tokens of the longest n-gram, n.

        Raises:
            ValueError: for an order below 1, or a token outside 0..``vocab_size`` - 1.
        """
        check_counts(order=order, vocab_size=vocab_size)
        check_counts(least=0, most=vocab_size - 1, end=end)
        counts = self._count(sequences, vocab_size, order, end)
        contexts = sorted(counts, key=lambda context: (len(context), context))
        index = {context: row for row, context in enumerate(contexts)}
        self.probabilities = torch.full((len(contexts), vocab_size), 1 / vocab_size, dtype=torch.float64)  # (H, V)
        self.following = torch.zeros(len(contexts), vocab_size, dtype=torch.int64)  # (H, V)
        for context, row in index.items():
            observed = torch.zeros(vocab_size, dtype=torch.float64)
            observed[list(counts[context])] = torch.tensor(list(counts[context].values()), dtype=torch.float64)
            kinds = len(counts[context])
            shorter = self.probabilities[index[context[1:]] if context else 0]
            self.probabilities[row] = (observed + kinds * shorter) / (observed.sum() + kinds) if kinds else shorter
            shorter_following = self.following[index[context[1:]]] if context else torch.zeros(vocab_size, dtype=torch.int64)
            self.following[row] = shorter_following
            for token in counts[context]:
                self.following[row, token] = self._longest((*context, token), index, order)
        self.log_probabilities = self.probabilities.log()

    @staticmethod
    def _count(sequences: Iterable[Sequence[int]], vocab_size: int, order: int, end: int) -> dict[Context, dict[int, int]]:
        """How often each token follows each context of fewer than ``order`` tokens."""
        if not isinstance(sequences, Iterable) or isinstance(sequences, str | bytes | Mapping | Tensor):
            raise ValueError(f"sequences must be lists of tokens, not {shown(sequences)}")
        counts: dict[Context, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        counts[()]  # the empty context is there without any sequence too
        for sequence in sequences:
            if not isinstance(sequence, Sequence):
                raise ValueError(f"sequences must be lists of tokens, not {shown(sequence)}")
            outside = [token for token in sequence if not is_whole(token, 0, vocab_size - 1)]
            if outside:
                raise ValueError(f"sequences must be of tokens 0..{vocab_size - 1}, not {shown(outside[0])}")
            text = (end, *sequence, end)
            for time in range(1, len(text)):
                for length in range(min(order, time + 1)):
                    counts[text[time - length : time]][text[time]] += 1
        return counts

    @staticmethod
    def _longest(text: Context, index: dict[Context, int], order: int) -> int:
        """The index of the longest suffix of ``text``, of at most order - 1 tokens, that is a context."""
        for start in range(max(len(text) - order + 1, 0), len(text) + 1):
            if text[start:] in index:
                return index[text[start:]]
        raise AssertionError("the empty context is always there")

    def start(self, rows: int) -> State:
        """The initial state of ``rows`` texts; the first token to be read is ``end``."""
        check_counts(least=0, rows=rows)
        return torch.zeros(rows, dtype=torch.int64)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Log-probabilities (N, V) of the tokens after ``tokens`` (N,), and the state after them.

        Raises:
            ValueError: for tokens that are not int64 of 0..V-1, or a state of another shape.
        """
        contexts, vocab_size = self.following.shape
        before = check_step(tokens, state, vocab_size, contexts)
        after = self.following[before.cpu(), tokens.cpu()]
        return self.log_probabilities[after].to(tokens.device), after.to(tokens.device)


def check_step(tokens: Tensor, state: State, vocab_size: int, contexts: int) -> Tensor:
    """The ``state`` (N,) of a model with so many ``contexts``, where ``tokens`` (N,) of its vocabulary can be read from it.

    Raises:
        ValueError: where they cannot.
    """
    before = cast(Tensor, state)
    check_indices("tokens", tokens, vocab_size)
    check_indices("state", before, contexts)
    if tokens.shape != before.shape:
        raise ValueError(f"state must have {len(tokens)} rows, one a token, not shape {tuple(before.shape)}")
    return before


def check_indices(name: str, indices: Any, size: int) -> None:
    """Refuse ``indices`` that are not int64 of shape (N,), each of 0..``size`` - 1."""
    check_tensors(**{name: indices})
    if indices.dtype != torch.int64 or indices.dim() != 1:
        raise ValueError(f"{name} must be int64 of shape (N,), not {indices.dtype} of shape {tuple(indices.shape)}")
    wrong = ((indices < 0) | (indices >= size)).nonzero()
    if len(wrong):
        raise ValueError(f"{name} must be of 0..{size - 1}, not {int(indices[wrong[0]])} in row {int(wrong[0])}")
