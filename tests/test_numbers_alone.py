"""Booleans and texts are refused where items are numbers, in Python, in lines of JSON and in requests alike."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_lightning.checks import check_all_numbers
from rnn_lightning.corpora.steps import numbers_of
from rnn_lightning.items.inputs import Inputs, make_inputs

MAKE = partial(make_inputs, folder=Path())
ARRAYS, STROKES, TOKENS = (
    MAKE({"name": "arrays"}, size=2),
    MAKE({"name": "strokes", "spacing": 0.2}, size=4),
    MAKE({"name": "tokens"}, size=9),
)
WRONG: list[tuple[Inputs, Any, str]] = [
    *((ARRAYS, item, "numbers alone, and True is among them") for item in ([[True, 1]], [[0.5, True]], [[True, True]])),
    (ARRAYS, [["1", 2.0]], "numbers alone, and '1' is among them"),
    (STROKES, [[[0, 0], [True, 1]]], "numbers alone, and True is among them"),
    (STROKES, [[["0", "0"], ["1", "1"]]], "numbers alone, and '0' is among them"),
    (TOKENS, [1, True], "it is no list of token numbers"),
]


@pytest.mark.parametrize(
    ("inputs", "item", "said"), WRONG, ids=lambda part: type(part).__name__ if isinstance(part, Inputs) else str(part)
)
def test_what_is_no_number_is_refused_in_every_form(inputs: Inputs, item: Any, said: str) -> None:
    text = json.dumps(item)
    for given in (item, text, inputs.from_request(text)):
        with pytest.raises(ValueError, match=said):
            inputs.encode(given)


@pytest.mark.parametrize("wrong", [np.bool_(True), torch.tensor([True]), np.array([[True, False]])])
def test_booleans_of_arrays_are_no_numbers_either(wrong: Any) -> None:
    with pytest.raises(ValueError, match="it must have numbers alone"):
        check_all_numbers([[1.0, 2], [wrong, 2]])


def test_numbers_of_every_kind_are_read() -> None:
    check_all_numbers([[1, 2.5, np.float32(1), np.int64(3)], (torch.tensor(1), np.ones(3))])
    assert ARRAYS.encode("[[1, 0.5]]").steps.tolist() == [[1, 0.5]] == ARRAYS.encode([(1, 0.5)]).steps.tolist()
    assert len(STROKES.encode("[[[0, 0], [0, 5]]]").steps) and len(STROKES.encode([np.array([[0, 0], [0, 5]])]).steps)


@pytest.mark.parametrize("value", [True, np.bool_(True)])
def test_a_column_of_a_forecast_has_no_booleans(value: Any) -> None:
    with pytest.raises(ValueError, match=r"row 1 has .*True.* in 'a': give it a finite number"):
        numbers_of("a", [1.0, value], 0)
