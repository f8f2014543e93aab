"""N-grams against their formula by counting substrings, and as a model that sums to one."""

from itertools import product

import pytest
import torch

from rnn_lightning import NGram

TEXTS = [[1, 2, 1, 2], [2, 2, 1], [3], [], [1, 2, 3]]


def probability(token: int, context: tuple[int, ...], order: int, vocabulary: int) -> float:
    """Witten and Bell's recursion, by looking for every substring."""
    context = context[max(len(context) - order + 1, 0) :]
    texts = [(0, *text, 0) for text in TEXTS]
    size = len(context) + 1
    after = [
        text[place + size - 1]
        for text in texts
        for place in range(len(text) - size + 1)
        if text[place : place + size - 1] == context and (size > 1 or place > 0)
    ]
    shorter = probability(token, context[1:], order, vocabulary) if context else 1 / vocabulary
    kinds = len(set(after))
    return (after.count(token) + kinds * shorter) / (len(after) + kinds) if after else shorter


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_formula(order: int) -> None:
    model = NGram(TEXTS, vocab_size=5, order=order, end=0)
    for length in range(4):
        for text in product(range(1, 5), repeat=length):
            state, read, log_probs = model.start(1), (0, *text), torch.empty(0)
            for token in read:
                log_probs, state = model.step(torch.tensor([token]), state)
            expected = [probability(token, read, order, 5) for token in range(5)]
            torch.testing.assert_close(log_probs.exp()[0], torch.tensor(expected, dtype=torch.float64))
            assert log_probs.exp().sum().item() == pytest.approx(1)


def test_rows_do_not_know_of_each_other() -> None:
    model = NGram(TEXTS, vocab_size=4, order=3, end=0)
    rows = torch.tensor([[0, 1, 2], [0, 3, 1]])
    state, alone = model.start(2), [model.start(1), model.start(1)]
    for tokens in rows.unbind(1):
        found, state = model.step(tokens, state)
        for row in range(2):
            one, alone[row] = model.step(tokens[row : row + 1], alone[row])
            assert torch.equal(one[0], found[row])


@pytest.mark.parametrize(
    ("texts", "order", "said"),
    [(TEXTS, 0, "order must be a whole number of at least 1, not 0"), ([[4]], 2, "sequences must be of tokens 0..3, not 4")],
)
def test_bad_counts_are_refused(texts: list[list[int]], order: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NGram(texts, vocab_size=4, order=order, end=0)
