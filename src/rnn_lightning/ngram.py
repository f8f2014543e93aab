"""A language model that counts: n-grams with Witten and Bell's interpolation, as a `Step` for any search.

Shapes: N rows, V tokens, H contexts that were seen.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .sequences import State

Context = tuple[int, ...]


class NGram:
    """P(w | h) = (c(h w) + t(h) P(w | h')) / (c(h) + t(h)): h' is h without its first token, t(h) how many tokens were seen
    after h (Witten and Bell 1991; Chen and Goodman 1996, cmp-lg/9606011, section 2.4). P(w) of no context mixes in 1 / V.

    ``end`` stands for the text's beginning and its end. A state is the number of the longest context that was seen.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], *, vocab_size: int, order: int, end: int) -> None:
        """Count the ``sequences``.

        Args:
            order: tokens of the longest n-gram, n.

        Raises:
            ValueError: for an order below 1, or a token outside 0..``vocab_size`` - 1.
        """
        if order < 1:
            raise ValueError(f"order must be at least 1, not {order}")
        counts = self._count(sequences, vocab_size, order, end)
        contexts = sorted(counts, key=lambda context: (len(context), context))
        number = {context: place for place, context in enumerate(contexts)}
        self.probabilities = torch.full((len(contexts), vocab_size), 1 / vocab_size, dtype=torch.float64)  # (H, V)
        self.following = torch.zeros(len(contexts), vocab_size, dtype=torch.int64)  # (H, V)
        for context, place in number.items():
            seen = torch.zeros(vocab_size, dtype=torch.float64)
            seen[list(counts[context])] = torch.tensor(list(counts[context].values()), dtype=torch.float64)
            kinds = len(counts[context])
            shorter = self.probabilities[number[context[1:]] if context else 0]
            self.probabilities[place] = (seen + kinds * shorter) / (seen.sum() + kinds) if kinds else shorter
            shorter_following = self.following[number[context[1:]]] if context else torch.zeros(vocab_size, dtype=torch.int64)
            self.following[place] = shorter_following
            for token in counts[context]:
                self.following[place, token] = self._longest((*context, token), number, order)
        self.log_probabilities = self.probabilities.log()

    @staticmethod
    def _count(sequences: Iterable[Sequence[int]], vocab_size: int, order: int, end: int) -> dict[Context, dict[int, int]]:
        counts: dict[Context, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        counts[()]  # the empty context is there, whatever was seen
        for sequence in sequences:
            outside = [token for token in (*sequence, end) if not 0 <= token < vocab_size]
            if outside:
                raise ValueError(f"token {outside[0]} is none of 0..{vocab_size - 1}")
            text = (end, *sequence, end)
            for place in range(1, len(text)):
                for length in range(min(order, place + 1)):
                    counts[text[place - length : place]][text[place]] += 1
        return counts

    @staticmethod
    def _longest(text: Context, number: dict[Context, int], order: int) -> int:
        """The number of the longest end of ``text``, of at most order - 1 tokens, that is a context."""
        for start in range(max(len(text) - order + 1, 0), len(text) + 1):
            if text[start:] in number:
                return number[text[start:]]
        raise AssertionError("the empty context is always there")

    def start(self, rows: int) -> State:
        """The state of ``rows`` texts of which nothing is said; the first token to be read is ``end``."""
        return torch.zeros(rows, dtype=torch.int64)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Log-probabilities (N, V) of what follows ``tokens`` (N,), and the state after them."""
        assert isinstance(state, Tensor)
        after = self.following[state.cpu(), tokens.cpu()]
        return self.log_probabilities[after].to(tokens.device), after.to(tokens.device)
