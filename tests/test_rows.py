"""Rows of vocabularies: the table names weights that there are, and rows and columns are those of the same entries."""

import numpy as np
import pytest
import torch

from pipelines.training.rows import ROWS, Match, fit, matches, other_answers, taken_rows
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
    "forecasts": Forecaster(RNN, 2, targets=["a", "b"], horizon=1, highway=2),
    "frames": FrameClassifier(RNN, 6, LABELS),
    "language": LanguageModel(9, RNN, output="adaptive", cutoffs=[3]),
    "recognition": CTCRecognizer(RNN, 6, LABELS),
    "regression": SequenceClassifier(RNN, 6, vocab_size=9),
    "tagging": Tagger(9, 5, RNN, num_characters=7, characters={"name": "cnn"}, output="crf"),
    "transcription": Seq2Seq(rnn=RNN, input_size=6, labels=LABELS, unit="character"),
    "transduction": Transducer(RNN, 6, LABELS),
    "translation": Seq2Seq(9, 8, RNN, end=1),
    "values": SequenceRegressor(RNN, 6, ["a", "b"]),
}
SIZES = {"tokens": 9, "target tokens": 8, "words": 9, "characters": 7, **NAMES}


@pytest.mark.parametrize("kind", SYSTEMS)
def test_weights_of_the_table_have_a_row_for_each_entry(kind: str) -> None:
    weights = SYSTEMS[kind].state_dict()
    for name, by in ROWS[kind].items():
        sizes = tuple(SIZES[vocabulary] for vocabulary in by)
        assert weights[name].shape[: len(by)] == sizes or name.startswith("output.clusters"), name


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


def test_vocabularies_that_one_side_lacks_have_nothing_in_common_and_an_order_is_no_other_answer() -> None:
    here, there = {"tags": ["a", "b"], "words": ["x"]}, {"tags": ["b", "a"], "tokens": ["x"]}
    found = matches(here, there)
    assert found.keys() == {"tags", "tokens", "words"} and found["tags"].counts() == {"taken": 2, "anew": 0}
    assert not found["words"].here and other_answers(found, here, there) == []
    assert other_answers(found, here, there | {"tags": ["a"]}) == ["tags"]
