"""Constraints of a search, in the library and in the runtime: what is found is the best that satisfies them."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from two_searches import SOURCES, Found, encode, in_numpy, in_torch, model

from rnn_lightning.items.searches import Constraints, Spelled, UnsatisfiedError, contains, repeats
from rnn_lightning.predictors.searching import Searcher


def holds(tokens: Sequence[int], spelled: Spelled) -> bool:
    size = spelled.no_repeated_ngrams
    return (
        list(tokens[: len(spelled.prefix)]) == list(spelled.prefix)
        and all(contains(tokens, phrase) for phrase in spelled.required)
        and not any(contains(tokens, phrase) for phrase in spelled.forbidden)
        and (size is None or not repeats(tokens, size))
    )


@pytest.mark.parametrize("search", [in_torch, in_numpy])
def test_of_all_texts_that_satisfy_the_constraints_the_best_is_found_or_there_is_none(search: Callable[..., Found]) -> None:
    system, draws, refused = model(3, 5), random.Random(2), 0
    texts = [list(text) for length in range(4) for text in itertools.product(range(4), repeat=length)]
    searcher = Searcher([system], {}, encode)
    totals = searcher.scores(SOURCES[:1].expand(len(texts), -1), None, texts)
    for _ in range(40):
        given: dict[str, Any] = {name: phrases(draws) for name in ("required", "forbidden") if draws.random() < 0.6}
        given |= {"prefix": "".join(draws.choices("abcd", k=2))} if draws.random() < 0.5 else {}
        given |= {"no_repeated_ngrams": draws.randint(1, 2)} if draws.random() < 0.5 else {}
        try:
            spelled = Spelled.of(Constraints(**given), encode, system.end)
        except ValueError:
            assert not any(holds(text, Spelled(**spell_each(given))) for text in texts), given
            continue
        right = [(total, text) for total, text in zip(totals, texts, strict=True) if holds(text, spelled)]
        options = {"beam_size": 100, "max_length": 4, "constraints": given}
        if right:
            ((tokens, score),) = search(system, options, 1)[0]
            assert (tokens, score) == (max(right)[1], pytest.approx(max(right)[0], abs=1e-4)), given
        else:
            refused += 1
            with pytest.raises(
                UnsatisfiedError, match=r"constraints: no hypothesis of a beam of 100 satisfies .* within 4 tokens"
            ):
                search(system, options, 1)
    assert 0 < refused < 30


def phrases(draws: random.Random) -> list[str]:
    """One or two phrases of one or two letters."""
    return ["".join(draws.choices("abcd", k=draws.randint(1, 2))) for _ in range(draws.randint(1, 2))]


def spell_each(given: Mapping[str, Any]) -> dict[str, Any]:
    """Constraints in tokens, whether or not they contradict each other."""
    lists = {name: [encode(text) for text in given[name]] for name in ("required", "forbidden") if name in given}
    return {**given, **lists, "prefix": encode(given.get("prefix", ""))}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"prefix": "abcd"},
        "constraints: prefix has 4 tokens, and with its end a text has 4 at most: raise max_length, or give a",
    ),
    ({"required": ["a", "bcda"]}, "constraints: required has 4 tokens, and with its end a text has 4 at most"),
    ({"prefix": "abc", "forbidden": ["bc"]}, "constraints: prefix 'abc' contains what is forbidden, 'bc': drop one"),
    ({"required": ["ab"], "forbidden": ["a"]}, "constraints: required 'ab' contains what is forbidden, 'a': drop one"),
    ({"prefix": "aba", "no_repeated_ngrams": 1}, r"constraints: prefix 'aba' repeats 1 tokens \(no_repeated_ngrams\)"),
    ({"prefix": "ae"}, "constraints: prefix must not have the token that ends a text, which 'ae' has"),
    ({"no_repeated_ngrams": 0}, "constraints: no_repeated_ngrams must be a whole number of at least 1, not 0"),
    ({"repetition_penalty": 0}, "constraints: repetition_penalty must be a finite number above 0, not 0"),
]


@pytest.mark.parametrize("search", [in_torch, in_numpy])
@pytest.mark.parametrize(("constraints", "said"), REFUSED, ids=str)
def test_constraints_that_nothing_can_satisfy_are_refused_at_once(
    search: Callable[..., Found], constraints: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        search(model(0, 5), {"constraints": constraints, "max_length": 4})


@pytest.mark.parametrize("search", [in_torch, in_numpy])
def test_only_what_is_not_found_is_refused(search: Callable[..., Found]) -> None:
    """Of four sources of different lengths, those of which a text is long enough are answered."""
    options = {"constraints": {"prefix": "ab" * 8}, "beam_size": 2}
    with pytest.raises(UnsatisfiedError, match="prefix has 16 tokens, and with its end a text has 16 at most") as told:
        search(model(0, 5), options)
    assert list(told.value.reasons) == [1, 3] and [len(row) for row in told.value.found] == [1, 0, 1, 0]
    with pytest.raises(UnsatisfiedError, match="constraints: prefix has 16 tokens"):
        search(model(0, 5), {"constraints": {"prefix": "ab" * 8}, "sampling": {}})
    limits = {"no_repeated_ngrams": 1, "forbidden": ["a", "b"]}
    with pytest.raises(
        UnsatisfiedError, match=r"no sample satisfies forbidden, no_repeated_ngrams within 9 tokens, .*: raise max_l"
    ):
        search(model(0, 5), {"constraints": limits, "sampling": {"seed": 3}, "min_length": 9, "max_length": 9})
