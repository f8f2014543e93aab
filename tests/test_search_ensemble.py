"""Several models searched as one."""

import math

import pytest
import torch
from search_oracles import NEVER, Model

from rnn_lightning.search import beam_search, ensemble, exhaustive_search
from rnn_lightning.sequences import map_state


def test_an_ensemble_of_one_model_is_that_model() -> None:
    model = Model(4, 5, 3)
    alone = beam_search(*model.start, end=0, max_length=6)
    for mean in ("probabilities", "log_probabilities"):
        joint = ensemble([model.step, model.step], mean=mean)
        found = beam_search(joint, (model.state, model.state), model.first, end=0, max_length=6)
        assert found.tokens.equal(alone.tokens)
        torch.testing.assert_close(found.scores, alone.scores)


@pytest.mark.parametrize("mean", ["probabilities", "log_probabilities"])
def test_an_ensemble_takes_the_mean(mean: str) -> None:
    models = [Model(seed, 4, 2, sparse=True) for seed in (5, 6, 7)]
    start = ensemble([model.step for model in models], mean=mean), tuple(model.state for model in models), models[0].first
    found = exhaustive_search(*start, end=0, max_length=3, n_best=13)
    assert int((found.scores > NEVER).sum()) >= 2
    for sentence, (rows, scores) in enumerate(zip(found.tokens.tolist(), found.log_probs.tolist(), strict=True)):
        for tokens, value in zip(rows, scores, strict=True):
            said = tokens[: tokens.index(0) + 1]
            total = 0.0
            for time, token in enumerate(said):
                each = [model.log_probs(sentence, tuple(said[:time]))[token] for model in models]
                total += math.log(sum(map(math.exp, each)) / 3) if mean == "probabilities" else sum(each) / 3
            assert value in (NEVER, pytest.approx(total, abs=1e-9))
    wide = beam_search(*start, end=0, max_length=3, n_best=13, beam_size=64)
    assert wide.tokens.equal(found.tokens)


def test_each_model_of_an_ensemble_keeps_its_own_state() -> None:
    models = [Model(seed, 4, 2) for seed in (5, 6)]
    states = models[0].state, map_state(lambda leaf: leaf + 1, models[1].state)
    log_probs, after = ensemble([model.step for model in models])(models[0].first, states)
    apart = [model.step(model.first, state) for model, state in zip(models, states, strict=True)]
    torch.testing.assert_close(after, tuple(answer[1] for answer in apart), rtol=0, atol=0)
    torch.testing.assert_close(log_probs.exp(), (apart[0][0].exp() + apart[1][0].exp()) / 2)


def test_an_ensemble_says_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        ensemble([])
    with pytest.raises(ValueError, match=r"mean must be one of \['probabilities', 'log_probabilities'\], not 'median'"):
        ensemble([Model(0, 3, 1).step], mean="median")
