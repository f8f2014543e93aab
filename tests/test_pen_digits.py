"""Numbers in pen strokes: curves against their definition, strokes against the glyphs, digits that can be told apart, also in
pictures."""

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from corpora import made
from PIL import Image

from rnn_lightning.corpora import SPLITS, PenDigits
from rnn_lightning.corpora.generated import random_stream
from rnn_lightning.corpora.images import picture_of
from rnn_lightning.corpora.pen_digits import GLYPHS, curve
from rnn_lightning.pen import pen_features, pen_picture

ROWS = {"train": 60, "validation": 10, "test": 12}
UP = 3


def clean(digit: str, rate: int = 8) -> list[np.ndarray]:
    return [curve(np.array(points), rate) for points in GLYPHS[digit]]


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_a_curve_goes_through_its_points_smoothly(rate: int) -> None:
    points = np.random.default_rng(0).normal(size=(6, 2))
    drawn = curve(points, rate)
    assert drawn.shape == (5 * rate + 1, 2)
    np.testing.assert_allclose(drawn[::rate], points, atol=1e-12)
    fine = curve(points, 1000)
    for place in range(1, 5):  # the direction at a point is that from its neighbour before to the one behind
        before, behind = (np.diff(fine[1000 * place + at : 1000 * place + at + 2], axis=0)[0] * 1000 for at in (-1, 0))
        np.testing.assert_allclose(before, (points[place + 1] - points[place - 1]) / 2, atol=0.02)
        np.testing.assert_allclose(behind, before, atol=0.02)
    line = np.linspace([0, 1], [5, -4], 6)
    np.testing.assert_allclose(curve(line, rate), np.linspace([0, 1], [5, -4], 5 * rate + 1), atol=1e-12)


@pytest.mark.parametrize("split", SPLITS)
def test_a_row_has_the_strokes_of_its_digits(tmp_path: Path, split: str) -> None:
    folder = made(PenDigits(rows=ROWS, seed=2, digits=[2, 4]), tmp_path) / "processed"
    card, arrays = json.loads((folder / "card.json").read_text()), np.load(folder / f"{split}.npz")
    assert card["labels"] == ["<blank>", *"0123456789"]
    rows = list(zip(pairwise(arrays["input_offsets"]), pairwise(arrays["target_offsets"]), strict=True))
    assert len(rows) == ROWS[split]
    lengths = set()
    for (begin, end), (first, last) in rows:
        number = [card["labels"][label] for label in arrays["targets"][first:last]]
        lengths.add(len(number))
        assert arrays["inputs"][begin:end, UP].sum() == sum(len(GLYPHS[digit]) for digit in number)
    assert lengths == {2, 3, 4}


def test_how_fast_a_hand_draws_is_not_seen() -> None:
    for digit in GLYPHS:
        slow, fast = (pen_features(clean(digit, rate), spacing=0.25) for rate in (40, 20))
        assert abs(len(slow) - len(fast)) <= 1
        if len(slow) == len(fast):
            np.testing.assert_allclose(slow, fast, atol=0.02)


def path_of(strokes: list[np.ndarray]) -> np.ndarray:
    """A trajectory at 24 places along its way, in units of its height and from its middle."""
    features = pen_features(strokes, spacing=0.05)
    path = np.cumsum(features[:, :2].astype(np.float64), 0)
    path = np.column_stack([path[:, 0] - path[:, 0].mean(), features[:, 2]])
    return path[np.linspace(0, len(path) - 1, 24).round().astype(int)].ravel()


def test_digits_can_be_told_by_the_nearest_glyph() -> None:
    corpus, generator = PenDigits(rows=ROWS, seed=1, digits=[1, 1]), random_stream(1, "test")
    glyphs = np.array([path_of(clean(digit)) for digit in GLYPHS])
    drawn = [str(number % 10) for number in range(300)]
    told = [int(((glyphs - path_of(corpus.written(digit, generator))) ** 2).sum(1).argmin()) for digit in drawn]
    assert np.mean([str(one) == other for one, other in zip(told, drawn, strict=True)]) > 0.9


def test_a_row_of_pictures_is_drawn_by_the_hand_that_writes_it(tmp_path: Path) -> None:
    """The same texts as in strokes, and the columns of the pictures of the same strokes, which are those of a file."""
    corpus = PenDigits(rows=ROWS, seed=2, digits=[2, 4], height=20)
    folder = made(corpus, tmp_path / "drawn") / "processed"
    strokes = made(PenDigits(rows=ROWS, seed=2, digits=[2, 4]), tmp_path / "strokes") / "processed"
    drawn, written = (np.load(place / "test.npz") for place in (folder, strokes))
    np.testing.assert_array_equal(drawn["targets"], written["targets"])
    card, generator = json.loads((folder / "card.json").read_text()), random_stream(2, "test")
    assert card["input_size"] == 20 and len(set(card["standardize"]["mean"])) == 1 and "features" not in card
    numbers = ["".join(map(str, generator.integers(10, size=corpus.length(generator)))) for _ in range(ROWS["test"])]
    for number, (begin, end) in zip(numbers, pairwise(drawn["input_offsets"]), strict=True):
        picture = pen_picture(corpus.written(number, generator), 20)
        np.testing.assert_array_equal(drawn["inputs"][begin:end], picture.T)
        file = io.BytesIO()
        Image.fromarray((255 - 255 * picture).astype(np.uint8)).save(file, "png")
        keywords = {key: value for key, value in corpus.inputs().items() if key != "name"}
        np.testing.assert_allclose(picture_of(file.getvalue(), **keywords).features, picture.T, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digits": [0, 3]}, r"digits must be the least and the most of a row, 1 or more, not \[0, 3\]"),
        ({"digits": [4, 3]}, "digits must be the least"),
        ({"digits": [4]}, "digits must be the least"),
        ({"sloppiness": -0.1}, "sloppiness must be 0 or more, not -0.1"),
        ({"tremor": float("nan")}, "tremor must be 0 or more, not nan"),
        ({"spacing": 0}, "spacing must be above 0, not 0"),
        ({"height": 7}, "height must be a whole number of at least 8, or None, not 7"),
        ({"height": "24"}, "height must be a whole number of at least 8, or None, not '24'"),
    ],
)
def test_arguments_are_checked_at_the_door(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PenDigits(rows=ROWS, seed=1, **changes)
