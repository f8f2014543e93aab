"""Searches from plain options: what the library finds by tensors, constraints hold, several models search as one."""

from functools import partial
from typing import Any

import pytest
import torch

from rnn_lightning import LanguageModel, Seq2Seq
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.search import GNMTLength

SOURCES, LENGTHS = torch.tensor([[3, 4, 5, 6], [7, 3, 0, 0], [5, 5, 5, 0]]), torch.tensor([4, 2, 3])
END = 1
LETTERS = "?#abcdefg"


def model(seed: int, **more: Any) -> Seq2Seq:
    torch.manual_seed(seed)
    system = Seq2Seq(9, 9, {"cell": "gru", "hidden_size": 8}, end=END, embedding_size=6, **more).eval()
    with torch.no_grad():
        system.decoder.output.weight.mul_(4)
    return system


def encode(text: str) -> list[int]:
    return [LETTERS.index(letter) for letter in text]


def search(*systems: Seq2Seq, **options: Any) -> list[Any]:
    return Searcher(systems, {"max_length": 6, **options}, encode)(SOURCES, LENGTHS)


def test_plain_options_find_what_translate_finds() -> None:
    system = model(0)
    rows = search(system, beam_size=4, n_best=2, normalisation={"name": "gnmt", "alpha": 0.7}, coverage=0.3)
    best = system.translate(SOURCES, LENGTHS, max_length=6, beam_size=4, n_best=2, normalisation=GNMTLength(0.7), coverage=0.3)
    for row, found in enumerate(rows):
        for rank, one in enumerate(found):
            assert one.tokens == best.tokens[row, rank, : best.lengths[row, rank] - 1].tolist()
            assert one.score == best.scores[row, rank].item()


def test_constraints_hold() -> None:
    limits = {"prefix": "ab", "required": ["dc"], "forbidden": ["g", "ca"], "no_repeated_ngrams": 2}
    for row in search(model(0), beam_size=8, max_length=9, constraints=limits):
        text = "".join(LETTERS[token] for token in row[0].tokens)
        assert text.startswith("ab") and "dc" in text and "g" not in text and "ca" not in text
        pairs = [text[place : place + 2] for place in range(len(text) - 1)]
        assert len(set(pairs)) == len(pairs)


def test_an_ensemble_of_one_model_twice_is_that_model() -> None:
    system = model(0)
    for one, two in zip(search(system, coverage=0.2), search(system, system, coverage=0.2), strict=True):
        assert one[0].tokens == two[0].tokens and one[0].score == pytest.approx(two[0].score, abs=1e-5)


def test_an_ensemble_scores_with_the_mean_of_the_probabilities() -> None:
    systems, targets = [model(0), model(1)], [[3, 4], [], [2]]
    totals = Searcher(systems, {}, encode).scores(SOURCES, LENGTHS, targets)
    for row, target in enumerate(targets):
        sources, total = SOURCES[row : row + 1, : LENGTHS[row]], 0.0
        states = [(system.encode(sources), system.decoder.start(system.encode(sources))) for system in systems]
        token = END
        for following in [*target, END]:
            steps = [
                system.decoder.step(memory, torch.tensor([token]), state)
                for system, (memory, state) in zip(systems, states, strict=True)
            ]
            total += torch.stack([log_probs[0, following].exp() for log_probs, _ in steps]).mean().log().item()
            states, token = [(memory, after) for (memory, _), (_, after) in zip(states, steps, strict=True)], following
        assert totals[row] == pytest.approx(total, abs=1e-4)


def test_samples_do_not_depend_on_the_rows_beside_them_and_follow_the_filter() -> None:
    system = model(0)
    drawn = partial(search, system, n_best=3, sampling={"temperature": 0.9, "seed": 4, "top_p": 0.8})
    rows = drawn()
    alone = Searcher(
        [system], {"max_length": 6, "n_best": 3, "sampling": {"temperature": 0.9, "seed": 4, "top_p": 0.8}}, encode
    )
    assert [alone(SOURCES[row : row + 1], LENGTHS[row : row + 1])[0] for row in range(3)] == rows == drawn()
    likeliest = search(system, sampling={"top_k": 1})
    assert [row[0].tokens for row in likeliest] == [row[0].tokens for row in search(system, beam_size=1)]
    totals = Searcher([system], {}, encode).scores(SOURCES, LENGTHS, [row[0].tokens for row in rows])
    assert totals == pytest.approx([row[0].score for row in rows], abs=1e-4)


def test_a_language_model_adds_its_weighted_log_probability() -> None:
    torch.manual_seed(5)
    language = LanguageModel(9, {"cell": "lstm", "hidden_size": 7}, 5).eval()
    targets, system = [[3, 4], [], [2, 2, 2]], model(0)
    plain = Searcher([system], {}, encode).scores(SOURCES, LENGTHS, targets)
    fused = Searcher([system], {}, encode, fusion=(language, 0.3)).scores(SOURCES, LENGTHS, targets)
    for target, one, both in zip(targets, plain, fused, strict=True):
        own = language.log_probabilities(torch.tensor([[END, *target, END]])).sum().item()
        assert both == pytest.approx(one + 0.3 * own, abs=1e-4)
    found = Searcher([system], {"coverage": 0.1, "max_length": 5}, encode, fusion=(language, 0.3))(SOURCES, LENGTHS)
    assert all(row for row in found)


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"constraints": {"require": ["a"]}},
        "constraints: there is no setting 'require'; its settings are .*'prefix'",
    ),
    ({"constraints": {"required": "a"}}, "required must be a list of texts, not 'a'"),
    ({"constraints": {"prefix": ""}}, "prefix must have a token or more"),
    ({"constraints": 3}, r"constraints of a search must be \{name: value, ...\}, not 3"),
    ({"sampling": {"top_p": 2}}, "top_p must be a number in"),
    ({"sampling": {"top_k": 0}}, "top_k must be a whole number of at least 1, not 0"),
    ({"sampling": {"seed": -1}}, "seed must be a whole number"),
    ({"sampling": {}, "beam_size": 3}, "beam_size is an option of a beam, and sampling has none"),
    ({"sampling": {}, "constraints": {"required": ["a"]}}, "required phrases share out a beam"),
    ({"groups": 2, "beam_size": 4, "constraints": {"required": ["a"]}}, "they need groups to be 1, not 2"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=str)
def test_a_search_that_there_is_not_is_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Searcher([model(0)], options, encode)
