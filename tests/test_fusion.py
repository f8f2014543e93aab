"""Shallow fusion: the sums that a search adds up are those of both models, by enumeration and in plain numbers."""

import pytest
import torch
from search_oracles import Model

from rnn_lightning.search import exhaustive_search, shallow_fusion


def both(weight: float) -> tuple[Model, Model, object, object]:
    one, other = Model(0, 4, 3), Model(1, 4, 3)
    return one, other, shallow_fusion(one.step, other.step, weight), (one.state, other.state)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_a_score_is_that_of_the_model_and_the_weighted_one_of_the_language_model(weight: float) -> None:
    one, other, step, state = both(weight)
    found = exhaustive_search(step, state, one.first, end=0, max_length=4)  # pyright: ignore[reportArgumentType]
    for sentence in range(3):
        length = int(found.lengths[sentence, 0])
        tokens = found.tokens[sentence, 0, :length].tolist()

        def total(tokens: list[int], sentence: int = sentence) -> float:
            scores = ((one.log_probs(sentence, p)[t], other.log_probs(sentence, p)[t]) for p, t in prefixes(tokens))
            return sum(mine + weight * others for mine, others in scores)

        assert found.scores[sentence, 0].item() == pytest.approx(total(tokens), abs=1e-5)
        assert all(total(tokens) >= total([*rest, 0]) - 1e-9 for rest in ([], [1], [2], [3], [1, 2], [3, 3, 1]))


def prefixes(tokens: list[int]) -> list[tuple[tuple[int, ...], int]]:
    return [(tuple(tokens[:place]), token) for place, token in enumerate(tokens)]


def test_a_language_model_of_other_tokens_is_refused() -> None:
    one = Model(0, 4, 1)
    step = shallow_fusion(one.step, Model(1, 5, 1).step, 0.5)
    with pytest.raises(ValueError, match="must have the tokens of the model that it is fused with, not 4 and 5 of them"):
        step(one.first, (one.state, one.state))
    with pytest.raises(ValueError, match="weight must be a finite number of at least 0, not -1"):
        shallow_fusion(one.step, one.step, -1)


def test_with_weight_0_a_token_that_the_language_model_rules_out_is_not() -> None:
    one = Model(0, 3, 1)
    ruled = shallow_fusion(one.step, lambda tokens, state: (torch.full((len(tokens), 3), -torch.inf), state), 0.0)
    assert torch.equal(ruled(one.first, (one.state, one.state))[0], one.step(one.first, one.state)[0])
