"""Handwriting and pictures: rows against plain loops, what is held out, and what is left out."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from corpora import TINY, cut_rows, processed
from PIL import Image

from rnn_lightning.corpora import SPLITS, CorpusError, Handwriting, Images
from rnn_lightning.corpora.images import decode_image
from rnn_lightning.pen import pen_features

Columns = dict[str, dict[str, Any]]


def png(points: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(points.astype(np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def words(rows: dict[str, list[tuple[str | None, Any, str]]]) -> Columns:
    kinds = {"text": pyarrow.string(), "strokes": pyarrow.list_(pyarrow.list_(pyarrow.list_(pyarrow.float64())))}
    kinds["writer"] = pyarrow.string()
    return {
        split: {name: pyarrow.array([row[at] for row in some], kinds[name]) for at, name in enumerate(kinds)}
        for split, some in rows.items()
    }


def stroke(seed: int) -> list[list[list[float]]]:
    return [np.random.default_rng(seed).normal(0, 9, (5, 2)).tolist() for _ in range(2)]


WRITTEN = {
    "train": [("ab", stroke(1), "x"), ("ba a", stroke(2), "x"), ("b", stroke(3), "y")],
    "validation": [("ab", stroke(4), "v")],
    "test": [("aQa", stroke(5), "t"), ("b", stroke(6), "u")],
}


def handwriting(**changes: Any) -> Handwriting:
    return Handwriting(**{**TINY, "strokes": "strokes", "text": "text", "writer": "writer", **changes})


@pytest.mark.parametrize("upright", [False, True])
def test_handwriting_is_pen_features_and_the_characters_of_its_text(tmp_path: Path, upright: bool) -> None:
    card, arrays = processed(handwriting(spacing=0.3, upright=upright), tmp_path, words(WRITTEN))
    labels = card["labels"]
    assert labels == ["<blank>", " ", "a", "b", "<unknown>"]
    for split, rows in WRITTEN.items():
        for (text, strokes, _), inputs, targets in zip(
            rows, cut_rows(arrays[split]), cut_rows(arrays[split], "target"), strict=True
        ):
            np.testing.assert_array_equal(inputs, pen_features(strokes, spacing=0.3, upright=upright))
            assert "".join(labels[label] for label in targets) == text.replace("Q", "<unknown>")
    assert card["unknown_labels"] == {"validation": {}, "test": {"Q": 1}}
    assert card["writers"] == {"train": 2, "validation": 1, "test": 2, "in_two_splits": 0}
    steps = arrays["train"]["inputs"].astype(np.float64)
    assert card["input_size"] == 4
    np.testing.assert_allclose(card["standardize"]["mean"], steps.mean(0), atol=1e-6)
    np.testing.assert_allclose(card["standardize"]["std"], steps.std(0), atol=1e-6)


def test_without_new_characters_there_is_no_label_for_them(tmp_path: Path) -> None:
    rows = {split: [row for row in some if "Q" not in row[0]] for split, some in WRITTEN.items()}
    card, _ = processed(handwriting(), tmp_path, words(rows))
    assert card["labels"] == ["<blank>", " ", "a", "b"]


def test_a_writer_in_two_splits_is_refused(tmp_path: Path) -> None:
    rows = {**WRITTEN, "test": [*WRITTEN["test"], ("a", stroke(7), "y")]}
    with pytest.raises(CorpusError, match=r"writers \['y'\] are in both train and test"):
        processed(handwriting(), tmp_path, words(rows))
    card, _ = processed(handwriting(writer=None), tmp_path, words(rows))
    assert "writers" not in card


BAD = {
    "no strokes": (("a", [], "x"), "no points in its 0 strokes"),
    "null strokes": (("a", None, "x"), "no points in its 0 strokes"),
    "not finite": (("a", [[[0, 0], [1, float("nan")]]], "x"), "stroke 0, point 1"),
    "half a point": (("a", [[[0, None]]], "x"), "stroke 0, point 0"),
    "three numbers": (("a", [[[0, 1, 2]]], "x"), "must be points"),
    "ragged points": (("a", [[[0, 1], [2]]], "x"), "row 3"),
    "no text": (("", stroke(1), "x"), "it has no text"),
    "null text": ((None, stroke(1), "x"), "it has no text"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_trajectory_is_named_and_left_out_up_to_a_share(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, said = BAD[name]
    rows = words({**WRITTEN, "train": [*WRITTEN["train"], row]})
    card, arrays = processed(handwriting(most_left_out=0.25), tmp_path, rows)
    assert card["left_out"] == {"train": 1, "validation": 0, "test": 0} and len(cut_rows(arrays["train"])) == 3
    told = capsys.readouterr().err
    assert "left out row 3 of" in told and "train.parquet" in told and said in told
    with pytest.raises(CorpusError, match=r"1 of 4 rows cannot be read, the last row 3 of .*train.parquet: "):
        processed(handwriting(most_left_out=0.2), tmp_path, rows)


def pictures(count: int, **sizes: int) -> list[np.ndarray]:
    draws = np.random.default_rng(count)
    return [draws.integers(0, 256, (sizes.get("height", 4), sizes.get("width", 6))) for _ in range(count)]


def of_pictures(drawn: dict[str, list[np.ndarray]], **columns: dict[str, list[Any]]) -> Columns:
    table: Columns = {}
    for split, some in drawn.items():
        table[split] = {"image": pyarrow.array([{"bytes": png(points), "path": None} for points in some])}
        table[split] |= {name: values[split] for name, values in columns.items()}
    return table


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("order", ["rows", "columns"])
def test_pictures_are_read_by_rows_or_columns(tmp_path: Path, order: str, invert: bool) -> None:
    drawn = {"train": pictures(20), "test": pictures(5)}
    labels = {"train": ["c", "a"] * 10, "test": ["a"] * 5}
    corpus = Images(**TINY, image="image", label="label", order=order, invert=invert, held_out={"share": 0.2, "seed": 1})
    card, arrays = processed(corpus, tmp_path, of_pictures(drawn, label=labels))
    grey = {split: [points / 255 for points in some] for split, some in drawn.items()}
    expected = [1 - points if invert else points for points in grey["test"]]
    for inputs, points in zip(cut_rows(arrays["test"]), expected, strict=True):
        np.testing.assert_allclose(inputs, points if order == "rows" else points.T, atol=1e-6)
    assert card["classes"] == ["a", "c"] and card["num_classes"] == 2
    assert Counter(arrays["validation"]["targets"].tolist()) == {0: 2, 1: 2}
    kept = {row.tobytes() for split in ("train", "validation") for row in cut_rows(arrays[split])}
    assert len(kept) == 20 and len(cut_rows(arrays["train"])) == 16
    mean = arrays["train"]["inputs"].mean(dtype=np.float64)
    np.testing.assert_allclose(card["standardize"]["mean"], [mean] * card["input_size"], atol=1e-6)
    assert card["source"]["held_out"] == {"share": 0.2, "seed": 1, "test": 0.0, "by": None}


def test_lines_of_any_size_are_scaled_to_a_height_and_read_by_columns(tmp_path: Path) -> None:
    drawn = {split: [*pictures(2, height=8, width=20), *pictures(1, height=16, width=9)] for split in SPLITS}
    texts = {split: ["ab", "b a", "b"] for split in SPLITS}
    table = of_pictures(drawn, text=texts)
    card, arrays = processed(Images(**TINY, image="image", text="text", order="columns", height=8), tmp_path, table)
    assert [row.shape for row in cut_rows(arrays["test"])] == [(20, 8), (20, 8), (4, 8)]
    halved = drawn["test"][2][:, :8].reshape(8, 2, 4, 2).mean((1, 3)) / 255
    assert np.abs(cut_rows(arrays["test"])[2].T - halved).mean() < 0.1  # nine columns to four
    assert card["labels"] == ["<blank>", " ", "a", "b"]
    with pytest.raises(CorpusError, match=r"the steps have \[8, 16\] numbers, .*; give height"):
        processed(Images(**TINY, image="image", text="text", order="columns"), tmp_path, table)


def saved(picture: Image.Image, **told: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF" if picture.mode in ("I", "F") else "PNG", **told)
    return buffer.getvalue()


RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
CLEAR = np.stack([np.zeros_like(RAMP), 255 - RAMP], 2)  # black ink, the less of it the lighter
KINDS = {
    "8 bits": Image.fromarray(RAMP),
    "16 bits": Image.fromarray(RAMP.astype(np.uint16) * 257),
    "colours": Image.fromarray(RAMP).convert("RGB"),
    "a palette": Image.fromarray(RAMP).convert("P"),
    "ink on nothing": Image.fromarray(CLEAR, "LA"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_the_same_from_black_to_white_however_its_points_are_kept(kind: str) -> None:
    np.testing.assert_allclose(decode_image(saved(KINDS[kind]), None), RAMP / 255, atol=1.01 / 255)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_points_that_are_numbers_of_no_known_range_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"mode {mode!r}; pictures have at most 16 bits a point"):
        decode_image(saved(Image.fromarray(RAMP.astype(np.int32)).convert(mode)), None)


@pytest.mark.parametrize("damage", [b"", None, b"no picture", png(np.zeros((4, 6)))[:-30], png(np.zeros((4, 6)))[:40]])
def test_a_damaged_picture_is_named_and_left_out(
    tmp_path: Path, damage: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    table = of_pictures({split: pictures(4) for split in SPLITS}, label={split: ["a", "b"] * 2 for split in SPLITS})
    kept = table["test"]["image"].to_pylist()
    table["test"]["image"] = pyarrow.array([kept[0], {"bytes": damage, "path": None}, *kept[2:]], table["test"]["image"].type)
    card, arrays = processed(Images(**TINY, image="image", label="label", most_left_out=0.25), tmp_path, table)
    assert card["left_out"] == {"train": 0, "validation": 0, "test": 1}
    assert arrays["test"]["targets"].tolist() == [0, 0, 1]
    assert "left out row 1 of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Images(**TINY, image="i"), "either label or text must name a column, not None and None"),
        (lambda: Images(**TINY, image="i", label="l", text="t"), "either label or text must name a column"),
        (
            lambda: Images(**TINY, image="i", label="l", order="spiral"),
            r"order must be one of \['rows', 'columns'\], not 'spiral'",
        ),
        (lambda: Images(**TINY, image="i", label="l", height=0), "height must be at least 1, or None, not 0"),
        (lambda: Images(**TINY, image="i", label="l", held_out={"share": 1.0, "seed": 1}), "held_out.share must lie between"),
        (lambda: handwriting(spacing=0), "spacing must be above 0, not 0"),
    ],
)
def test_arguments_are_checked_at_the_door(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()
