"""Runs of one configuration are one row, whenever they were made; a row's label tells what is different, and is its own."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.comparing.summary import rows
from pipelines.runs.configurations import SHOWN, identity
from pipelines.runs.folders import Run
from pipelines.runs.provenance import label_of
from pipelines.settings.compose import compose
from pipelines.settings.schema import Metric
from pipelines.settings.tasks import Task

TASK = Task("words", "Words", "Made up.", Metric(name="test/loss", mode="min"))
RUN = Run(
    rnn="lstm",
    label="LSTM",
    seed=1,
    metrics={"test/loss": 2.0},
    parameters=10,
    steps=1,
    planned_steps=1,
    seconds=1.0,
    unit="tokens",
    units_per_second=1.0,
    peak_memory_mb=1.0,
    hardware="a machine",
    threads=1,
    precision="32-true",
    commit="c",
    data="4f1c09" + "0" * 58,
    command="python -m pipelines.train",
    config=compose(["task=nested", "rnn=lstm", "seed=1"]).plain(1),
)


def changed(seed: int, **values: Any) -> Run:
    """The run of another seed, with other values of its configuration: ``task__training__clip=0.5``; ``...`` takes one out."""
    config: dict[str, Any] = compose(["task=nested", "rnn=lstm", f"seed={seed}"]).plain(seed)
    for key, value in values.items():
        *places, name = key.split("__")
        inner = config
        for place in places:
            inner = inner[place]
        if value is ...:
            del inner[name]
        else:
            inner[name] = value
    return replace(RUN, seed=seed, config=config)


def test_a_label_names_the_runs_of_an_ensemble_and_marks_what_is_cut_off() -> None:
    runs = ["runs/words/lstm/2", "runs/words/lstm-mine/3", "elsewhere/lstm/1"]
    searched = changed(1, task__metric__search={"ensemble": runs, "stop": "s" * 30})
    one, other = rows([RUN, searched], TASK)
    assert {one.label, other.label} == {
        "LSTM (no ensemble, no stop)",
        f"LSTM (ensemble lstm/2, lstm-mine/3, elsewhere/lstm/1, stop {'s' * 23}…)",
    }


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"task__title": "Another title", "task__description": "Said better.", "task__references": []},
        {"trainer__strategy": ...},
        {"task__metric__search": ...},
    ],
)
def test_neither_words_nor_a_setting_of_later_splits_a_row(values: dict[str, Any]) -> None:
    (row,) = rows([changed(1), changed(2, **values)], TASK)
    assert (row.label, [run.seed for run in row.runs]) == ("LSTM", [1, 2])


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ({"task__training__clip": 0.5}, {"LSTM (clip 1.0)", "LSTM (clip 0.5)"}),
        ({"trainer__strategy": "ddp"}, {"LSTM (strategy auto)", "LSTM (strategy ddp)"}),
        ({"rnn__dropout": 0.5}, {"LSTM (no dropout)", "LSTM (dropout 0.5)"}),
        (
            {"rnn__dropout": 0.5, "task__model__dropout": 0.1},
            {"LSTM (no rnn.dropout, no model.dropout)", "LSTM (rnn.dropout 0.5, model.dropout 0.1)"},
        ),
    ],
)
def test_a_label_has_the_values_that_differ_by_short_names(values: dict[str, Any], labels: set[str]) -> None:
    found = {row.label for row in rows([changed(1), changed(1, **values)], TASK)}
    assert {frozenset(label.removesuffix(")").split(" (")[1].split(", ")) for label in found} == {
        frozenset(label.removesuffix(")").split(" (")[1].split(", ")) for label in labels
    }


def test_rows_that_differ_in_their_data_alone_say_so() -> None:
    other = replace(changed(1), data="ab" * 32)
    assert {row.label for row in rows([RUN, other], TASK)} == {"LSTM (data 4f1c09)", "LSTM (data ababab)"}


def test_a_label_is_short_unless_it_would_be_anothers() -> None:
    many = {f"rnn__k{number}": number for number in range(SHOWN + 2)}
    first, second = (row.label for row in rows([changed(1), changed(1, **many)], TASK))
    assert all(label.endswith("and 2 more)") for label in (first, second))
    another = changed(1, **many | {f"rnn__k{SHOWN + 1}": "x"})
    labels = [row.label for row in rows([changed(1), changed(1, **many), another], TASK)]
    assert len(set(labels)) == 3
    assert not any("more" in label for label in labels)


def test_long_values_are_cut_unless_that_makes_two_labels_one() -> None:
    masks = [[{"name": "time_masks", "count": 2, "width": width}] for width in (5, 9)]
    first, second = (row.label for row in rows([changed(1, task__data__augment=each) for each in masks], TASK))
    assert first != second
    short = [row.label for row in rows([changed(1, rnn__note="a" * 99), changed(1, rnn__note="b" * 99)], TASK)]
    assert {len(label) for label in short} == {len("LSTM (note )") + 24}


def test_a_seed_decides_nothing_and_a_value_does() -> None:
    assert identity(changed(1).config) == identity(changed(2).config)
    assert identity(changed(1).config) != identity(changed(1, task__data__batch_size=3).config)


@pytest.mark.parametrize(
    ("keywords", "label"),
    [
        ({}, "LSTM"),
        ({"bidirectional": True, "forget_bias": 0.5, "block": "plain"}, "BiLSTM"),
        ({"forget_bias": {"chrono": 400}}, "LSTM, chrono"),
        ({"block": "highway"}, "LSTM, highway blocks"),
        ({"block": "residual", "mlp": 2}, "LSTM, residual blocks with MLP"),
        ({"block": "residual", "convolution": 4, "mlp": 2}, "LSTM, residual blocks with convolution and MLP"),
    ],
)
def test_a_network_is_called_by_its_cell_and_what_it_is_built_of(keywords: dict[str, Any], label: str) -> None:
    assert label_of("LSTM", keywords) == label
