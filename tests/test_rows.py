"""Rows of vocabularies: the table names weights that there are, and rows and columns are those of the same entries; what reads
features is found, and numbers that are told have names in the order of the rows that tell them."""

import re
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.training.rows import (
    ROWS,
    Match,
    clusters_of,
    differing,
    fit,
    matches,
    other_answers,
    readers,
    taken_rows,
    vocabularies_of,
)
from rnn_lightning.items.vocabularies import features, numbers_told
from rnn_lightning.models import (
    CTCRecognizer,
    Forecaster,
    FrameClassifier,
    LanguageModel,
    Model,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    Tagger,
    Transducer,
)

RNN, LABELS, NAMES = {"cell": "gru", "hidden_size": 4}, ["-", "a", "b"], {"labels": 3, "targets": 2, "classes": 3, "tags": 5}
SYSTEMS: dict[str, Model] = {
    "classification": SequenceClassifier(RNN, 6, num_classes=3, vocab_size=9),
    "forecasts": Forecaster(RNN, 3, targets=["a", "b"], horizon=3, highway=2, known=1, quantiles=[0.1, 0.5]),
    "frames": FrameClassifier(RNN, 6, LABELS),
    "language": LanguageModel(9, RNN, output="adaptive", cutoffs=[3]),
    "recognition": CTCRecognizer(RNN, 6, LABELS),
    "regression": SequenceClassifier(RNN, 6, vocab_size=9),
    "tagging": Tagger(9, 5, RNN, num_characters=7, characters={"name": "cnn"}, output="crf"),
    "transcription": Seq2Seq(rnn=RNN, input_size=6, labels=LABELS, unit="character"),
    "transduction": Transducer(RNN, 6, LABELS),
    "translation": Seq2Seq(9, 8, RNN, end=1),
    "values": SequenceRegressor(RNN, 6, ["a", "b"], vocab_size=9, quantiles=[0.1, 0.5, 0.9]),
}
OUTPUTS = {"forecasts": {"values": 4, "outputs": 12}, "regression": {"outputs": 1}, "values": {"outputs": 6}}
SIZES = {"tokens": 9, "clusters": 1, "target tokens": 8, "words": 9, "characters": 7, **NAMES}


@pytest.mark.parametrize("kind", SYSTEMS)
def test_weights_of_the_table_have_a_row_for_each_entry(kind: str) -> None:
    weights = SYSTEMS[kind].state_dict()
    for name, by in ROWS[kind].items():
        sizes = tuple({**SIZES, **OUTPUTS.get(kind, {})}[vocabulary] for vocabulary in by)
        assert weights[name].shape[: len(by)] == sizes, name


def test_no_weight_of_another_kind_has_rows() -> None:
    assert ROWS.keys() == SYSTEMS.keys()


@pytest.mark.parametrize("kind", SYSTEMS)
def test_all_weights_are_taken_where_vocabularies_are_the_same(kind: str) -> None:
    weights = SYSTEMS[kind].state_dict()
    made = fit(weights, weights, {}, ROWS[kind], {})
    assert not made.left and all(torch.equal(made.taken[name], weight) for name, weight in weights.items())


def test_rows_and_columns_are_those_of_the_same_entries() -> None:
    rng = np.random.default_rng(0)
    here, there = ["b", "new", "a"], ["a", "old", "c", "b"]
    own, given = (torch.from_numpy(rng.normal(size=(len(names),) * 2)) for names in (here, there))
    made = taken_rows(own, given, [Match.of(here, there)] * 2)
    assert made is not None
    for row, one in enumerate(here):
        for column, other in enumerate(here):
            both = one in there and other in there
            expected = given[there.index(one), there.index(other)] if both else own[row, column]
            assert made[row, column] == expected
    assert taken_rows(own, given[:2], [Match.of(here, there)] * 2) is None
    assert taken_rows(own, given, [Match.of(["x"] * 3, there)] * 2) is None


def test_a_cluster_is_the_same_where_its_tokens_are() -> None:
    words = [f"word{number}" for number in range(9)]
    given: dict[str, Any] = {"vocab_size": 9, "output": "adaptive", "cutoffs": [3, 6]}
    both = clusters_of(words, given)
    assert [entry.partition(":")[0] for entry in both] == ["tokens 3 to 5", "tokens 6 to 8"]
    assert clusters_of(words, given | {"cutoffs": (3, 6)}) == both != clusters_of(words, given | {"cutoffs": [4, 6]})
    other = clusters_of([*words[:4], "another", *words[5:]], given)
    assert (other[0] == both[0], other[1] == both[1]) == (False, True)
    usual = clusters_of(words, given | {"cutoffs": None})
    assert usual == clusters_of(
        words, given | {"cutoffs": sorted({*accumulate(LanguageModel(9, RNN, output="adaptive").output.sizes)} - {9})}
    )


def test_vocabularies_that_one_side_lacks_have_nothing_in_common_and_an_order_is_no_other_answer() -> None:
    here, there = {"tags": ["a", "b"], "words": ["x"]}, {"tags": ["b", "a"], "tokens": ["x"]}
    found = matches({*here, *there}, here, there)
    assert found.keys() == {"tags", "tokens", "words"} and found["tags"].counts() == {"taken": 2, "anew": 0}
    assert not found["words"].here and other_answers(found, here, there) == []
    assert other_answers(found, here, there | {"tags": ["a"]}) == ["tags"]
    assert vocabularies_of(["output.weight", "more"], ROWS["values"]) == {"outputs"}


LAYERS: list[dict[str, Any]] = [
    {},
    {"bidirectional": True, "num_layers": 2},
    {"num_layers": 2, "dropout": 0.1, "weight_drop": 0.1},
    {"num_layers": 2, "zoneout": 0.1, "bidirectional": True},
    {"num_layers": 2, "block": "residual", "convolution": 2, "mlp": 2},
    {"num_layers": 2, "block": "highway", "initial_state": "learned"},
]


@pytest.mark.parametrize("more", LAYERS, ids=str)
@pytest.mark.parametrize("thinned", [None, {"channels": 5}], ids=["all steps", "subsampling"])
def test_readers_are_the_weights_whose_shapes_the_features_decide(more: dict[str, Any], thinned: dict[str, int] | None) -> None:
    def shapes(size: int) -> list[dict[str, torch.Size]]:
        systems = [CTCRecognizer({**RNN, **more}, size, LABELS, subsampling=thinned)]
        systems += [Seq2Seq(rnn={**RNN, "num_layers": 1}, encoder=more, input_size=size, labels=LABELS, unit="character")]
        systems += [Forecaster({**RNN, **more}, size + 2, targets=["a"], horizon=2, known=size)]
        return [{name: weight.shape for name, weight in system.state_dict().items()} for system in systems]

    for one, other in zip(shapes(6), shapes(7), strict=True):
        found = {*readers([*one])}
        assert {name for name in one if one[name] != other[name]} <= found
        above = re.compile(r"\D*(layers\.1\.|.*_l1).*|(decoder|output)\..*")
        assert not [*filter(above.fullmatch, found)]


@pytest.mark.parametrize("more", [{}, {"recursive": True}, {"apart": True}, {"level": "mean"}], ids=str)
def test_outputs_have_names_in_the_order_of_the_rows_that_tell_them(more: dict[str, Any]) -> None:
    """Row by row: with all other weights at zero, what a row's bias tells is that target, quantile and step."""
    settings = {"targets": ["a", "b"], "horizon": 1 if "recursive" in more else 3, "quantiles": [0.2, 0.5, 0.8], **more}
    system, names = Forecaster(RNN, 2, **settings).eval(), numbers_told({"width": "1 hours"}, settings)["outputs"]
    assert len({*names}) == len(names) == len(system.output.bias)
    for row, name in enumerate(names):
        with torch.no_grad():
            for weight in system.parameters():
                weight.zero_()
            system.output.bias[row] = 1.0
            told = system.at_once(torch.zeros(1, 4, system.network.input_size), torch.zeros(1, 3, 0), None, None)[0][0]
        step, target, quantile = told.nonzero()[0].tolist()
        expected = f"{'each target' if system.apart else 'ab'[target]} at {settings['quantiles'][quantile]}, step {step + 1}"
        assert name.startswith(expected) and ("level" in name) == ("level" in more)


def test_features_are_the_same_where_names_or_settings_are() -> None:
    series = {
        "name": "series",
        "targets": ["a"],
        "past": ["b"],
        "known": ["c"],
        "calendar": ["hour"],
        "context": 9,
        "horizon": 3,
    }

    def told(inputs: dict[str, Any], settings: dict[str, Any] | None = None, **more: str) -> dict[str, Any]:
        return features({"inputs": inputs, **more}, {"targets": inputs.get("targets"), **(settings or {})})

    whole = told(series)
    assert whole == told({**series, "context": 4, "horizon": 1, "date": "when"}, {"dropout": 0.5})
    others = [{"past": ["b", "d"]}, {"past": ["d"]}, {"known": ["x"]}, {"calendar": ["month"]}, {"targets": ["x"]}]
    assert all(told(series | each) != whole for each in others)
    assert (
        told(series, width="1 hours") != whole != told(series, {"recursive": True}) and told(series, {"level": "mean"}) != whole
    )
    assert told(series, {"apart": True}) == told(series | {"targets": ["x"]}, {"apart": True})
    assert told({"name": "text", "tokenizer": "x"}) == {} == told({"name": "tokens"})
    assert told({"name": "strokes", "spacing": 1}) == told({"name": "strokes", "spacing": 1, "upright": False})
    sides = ({"name": "picture", "order": order} for order in ("rows", "columns"))
    assert differing(*map(told, sides)) == ({"order": "rows"}, {"order": "columns"})
    assert differing({"features": ["x"]}, {}) == ({"features": ["x"]}, {}) and not any(differing(whole, whole))
