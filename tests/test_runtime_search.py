"""Searches without PyTorch find what those of the library find; samples of both follow the law that enumeration gives."""

import random
import re
from collections import Counter
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from two_searches import SOURCES, Found, encode, in_numpy, in_torch, model, outcome

from rnn_lightning.models import Seq2Seq
from rnn_lightning.predictors import LanguagePredictor
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.predictors.texts import SearchPredictor
from rnn_lightning.runtime import sampling
from rnn_lightning.runtime.language import DeployedLanguageModel
from rnn_lightning.runtime.translation import DeployedSearch
from rnn_lightning.search.filters import Filter

ROOT = Path(__file__).parents[1]


def drawn(draws: random.Random) -> dict[str, Any]:
    """Options of a search, any of which may go together."""

    def text(most: int) -> str:
        return "".join(draws.choice("abcde") for _ in range(draws.randint(1, most)))

    def maybe(**options: Any) -> dict[str, Any]:
        return {name: value for name, value in options.items() if draws.random() < 0.4}

    required = [text(2) for _ in range(draws.randint(1, 2))] if draws.random() < 0.4 else []
    constraints = maybe(prefix=text(3), forbidden=[text(2)], no_repeated_ngrams=draws.randint(1, 3), repetition_penalty=1.3)
    groups = 1 if required else draws.choice([1, 2, 3])
    beam = groups * draws.choice([1, 2, 3])
    more = maybe(min_length=3, coverage=0.4, diversity=draws.choice([0.3, 2.0]), patience=draws.choice([0.5, 2.0]))
    shape = {"name": draws.choice(["none", "power", "gnmt"])} if draws.random() < 0.7 else {"name": "reward", "reward": 0.3}
    more |= maybe(normalisation=shape, stop=draws.choice(["exact", "first", "patience"]))
    constraints |= {"required": required} if required else {}
    sizes = {"beam_size": beam, "groups": groups, "n_best": draws.randint(1, beam), "max_length": draws.choice([4, 6, 9])}
    return {**sizes, **more, **({"constraints": constraints} if constraints else {})}


@pytest.mark.parametrize("seed", range(6))
def test_searches_find_the_same(seed: int) -> None:
    draws, system, answered = random.Random(seed), model(seed, 6), 0
    for _ in range(15):
        options = drawn(draws)
        (texts, scores, said), expected = outcome(in_numpy, system, options), outcome(in_torch, system, options)
        assert (texts, said) == (expected[0], expected[2]), options
        assert scores is None or scores == pytest.approx(expected[1], rel=1e-3, abs=1e-4), options
        answered += bool(scores)
    assert answered > 7


LACKING = {
    (SearchPredictor, DeployedSearch): {"weights", "score", "attention", "fusion", "ensemble"},
    (LanguagePredictor, DeployedLanguageModel): set[str](),
}


@pytest.mark.parametrize("pair", LACKING, ids=str)
def test_the_page_names_the_options_that_the_runtime_lacks(pair: tuple[Any, Any]) -> None:
    """The ensemble is ``run=[a, b]`` on the command line."""
    ours, theirs = ({*signature(kind.load).parameters} for kind in pair)
    assert ours - theirs == LACKING[pair] and theirs - ours == {"threads"}
    (said,) = re.findall(r"but not those that need (.*?)\. In Python", (ROOT / "docs/export.md").read_text(), re.DOTALL)
    named = {name.partition("=")[0] for name in re.findall(r"`(.+?)`", said)}
    assert LACKING[pair] - {"ensemble"} <= named and named - {"run"} <= set().union(*LACKING.values())


FILTERS: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"temperature": 0.7},
    {"temperature": 1.5, "top_k": 3},
    {"temperature": 1.0, "top_p": 0.7},
    {"temperature": 0.9, "min_p": 0.2},
    {"temperature": 1.1, "top_k": 6, "top_p": 0.9, "min_p": 0.1},
]


@pytest.mark.parametrize("settings", FILTERS, ids=str)
def test_filters_are_those_of_the_library(settings: dict[str, Any]) -> None:
    scores = (3 * torch.randn(200, 9, generator=torch.Generator().manual_seed(0))).log_softmax(1)
    expected = Filter(**{"top_k": None, "top_p": None, "min_p": None, **settings})(scores)
    found = sampling.Filter(**settings)(scores.numpy())
    assert np.array_equal(np.isfinite(found), np.isfinite(expected.numpy()))
    assert np.allclose(found, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("search", [in_torch, in_numpy])
def test_samples_have_the_law_that_enumeration_gives(search: Callable[..., Found]) -> None:
    system, count, settings = model(4, 4), 4000, {"temperature": 0.8, "top_k": 3, "top_p": 0.95, "min_p": 0.02}
    options = {"n_best": count, "max_length": 3, "sampling": {**settings, "seed": 5}, "constraints": {"forbidden": ["ab"]}}
    (row,) = search(system, options, 1)
    found = Counter(tuple(tokens) for tokens, _ in row)
    expected = law(system, Filter(**settings))
    assert sum(expected.values()) == pytest.approx(1) and set(found) <= set(expected)
    assert sum(abs(found[text] / count - share) for text, share in expected.items()) / 2 < 0.03
    texts = [list(text) for text in found]
    totals = Searcher([system], {}, encode).scores(SOURCES[:1].expand(len(texts), -1), None, texts)
    scores = {tuple(tokens): score for tokens, score in row}
    assert [scores[tuple(text)] for text in texts] == pytest.approx(totals, abs=1e-4)
    drawn_again = search(system, {**options, "n_best": 5}, 3)
    assert drawn_again == search(system, {**options, "n_best": 5}, 3) and len(drawn_again) == 3


@torch.no_grad()
def law(system: Seq2Seq, keep: Filter) -> dict[tuple[int, ...], float]:
    """The probability of each text of three tokens at most, without "ab", token by token."""
    memory = system.encode(SOURCES[:1])
    shares: dict[tuple[int, ...], float] = {}

    def follow(text: tuple[int, ...], token: int, state: Any, share: float) -> None:
        scores, after = system.decoder.step(memory, torch.tensor([token]), state)
        scores = scores.clone()
        if text[-1:] == (0,):
            scores[0, 1] = -torch.inf
        if len(text) == 2:
            scores[0, : system.end] = -torch.inf
        for number, chance in enumerate(keep(scores).softmax(1)[0].tolist()):
            if chance and number == system.end:
                shares[text] = share * chance
            elif chance:
                follow((*text, number), number, after, share * chance)

    follow((), system.end, system.decoder.start(memory), 1.0)
    return shares
