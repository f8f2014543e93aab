"""Pen trajectories: what place, size, rate and slant of a recording change, and what becomes of odd strokes."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rnn_lightning.pen import FEATURES, WIDEST, pen_features, pen_picture, transformed

Strokes = list[np.ndarray]
DX, DY, Y, UP = range(4)
SPACINGS = [0.05, 0.2, 0.7]


def scribble(seed: int, strokes: int = 4) -> Strokes:
    """Strokes of 1 to 30 points on a random walk."""
    draws = np.random.default_rng(seed)
    return [np.cumsum(draws.normal(0, 10, (draws.integers(1, 31), 2)), 0) + draws.normal(0, 40, 2) for _ in range(strokes)]


def subdivided(strokes: Strokes, seed: int) -> Strokes:
    """The same paths, with more points on each segment at random places, and points repeated."""
    draws = np.random.default_rng(seed)
    finer = []
    for points in strokes:
        at = np.sort(np.concatenate([np.arange(len(points)), draws.uniform(0, len(points) - 1, 3 * len(points))]))
        dense = np.column_stack([np.interp(at, np.arange(len(points)), each) for each in points.T])
        finer.append(np.repeat(dense, draws.integers(1, 3, len(dense)), axis=0))
    return finer


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(5))
def test_place_size_and_rate_of_a_recording_change_nothing(seed: int, spacing: float, upright: bool) -> None:
    strokes = scribble(seed)
    features = pen_features(strokes, spacing=spacing, upright=upright)
    assert features.dtype == np.float32 and features.shape[1] == len(FEATURES)
    for other in (
        [points + np.array([1000.0, -300.0]) for points in strokes],
        [points * 0.001 for points in strokes],
        [points * 77 - 5 for points in strokes],
        subdivided(strokes, seed),
    ):
        np.testing.assert_allclose(pen_features(other, spacing=spacing, upright=upright), features, atol=1e-5)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(5))
def test_features_are_steps_of_equal_length_along_the_ink_and_jumps_between(seed: int, spacing: float) -> None:
    strokes = scribble(seed)
    features = pen_features(strokes, spacing=spacing).astype(np.float64)
    begins = np.flatnonzero(features[:, UP])
    assert len(begins) == len(strokes) and begins[0] == 0 and not features[0, :2].any()
    path = np.cumsum(features[:, :2], 0)
    np.testing.assert_allclose(np.diff(features[:, Y]), features[1:, DY], atol=1e-5)
    unit = np.abs(strokes[1][0] - strokes[0][0])[1] / abs(path[begins[1], 1] - path[0, 1])  # the height of the writing
    for points, begin, end in zip(strokes, begins, [*begins[1:], len(features)], strict=True):
        ends = (points[[0, -1]] - strokes[0][0]) / unit
        np.testing.assert_allclose(path[[begin, end - 1]], ends, atol=1e-4)
        chords = np.hypot(*features[begin + 1 : end, :2].T)
        assert (chords <= 1.5 * spacing + 1e-6).all()  # a corner shortens the chord, rounding to whole steps lengthens it
        length = np.hypot(*np.diff(points, axis=0).T).sum() / unit
        assert end - begin == (max(1, round(length / spacing)) + 1 if len(points) > 1 else 1)


def test_the_unit_is_the_height_of_a_bar_and_the_aspect_is_kept() -> None:
    bar = pen_features([np.array([[3.0, 10.0], [3.0, 50.0]])], spacing=0.1)
    assert bar[:, DY].sum() == pytest.approx(1) and bar[0, Y] == pytest.approx(-0.5) and len(bar) == 11
    box = np.array([[0, 0], [80, 0], [80, 40], [0, 40], [0, 0]])
    features = pen_features([box], spacing=0.01)
    path = np.cumsum(features[:, :2].astype(np.float64), 0)
    assert np.ptp(path[:, 0]) / np.ptp(path[:, 1]) == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("height", [8, 24, 33])
@pytest.mark.parametrize("seed", range(3))
def test_a_pixel_is_ink_by_its_distance_from_the_path(height: int, seed: int) -> None:
    strokes, radius = scribble(seed), height / 24
    picture = pen_picture(strokes, height)
    margin = int(np.ceil(radius)) + 1
    low, high = (edge(np.concatenate(strokes), axis=0) for edge in (np.min, np.max))
    scale = (height - 1 - 2 * margin) / (high[1] - low[1])
    assert picture.shape == (height, int(np.ceil(scale * (high[0] - low[0]))) + 2 * margin + 1)
    places = np.stack(np.meshgrid(np.arange(picture.shape[1]), height - 1 - np.arange(height)), -1)  # (H, W, 2)
    nearest = np.full(picture.shape, np.inf)
    for points in strokes:
        on = scale * (points - low) + margin
        for start, end in pairwise(on) if len(on) > 1 else [(on[0], on[0])]:
            way = end - start
            share = np.clip((places - start) @ way / max(way @ way, 1e-300), 0, 1)[..., None]
            nearest = np.minimum(nearest, np.linalg.norm(places - start - share * way, axis=-1))
    np.testing.assert_allclose(picture, np.clip(radius + 0.5 - nearest, 0, 1), atol=0.13)  # half a step of the pen
    np.testing.assert_array_equal(np.rint(255 * picture), (255 * picture).round(3))
    moved = [7 * points + 100 for points in strokes]
    np.testing.assert_allclose(pen_picture(moved, height), picture, atol=1 / 254)


@pytest.mark.parametrize("lean", [-0.5, 0.2, 0.9])
def test_upright_writing_is_the_same_however_it_leaned(lean: float) -> None:
    bars = [np.array([[x, 0.0], [x, 30.0]]) for x in (0.0, 12.0, 31.0)]
    leaning = [points @ [[1, 0], [lean, 1]] for points in bars]
    np.testing.assert_allclose(pen_features(leaning, upright=True), pen_features(bars), atol=1e-5)
    assert not np.allclose(pen_features(leaning)[1, DX], 0, atol=0.01)


ODD: dict[str, tuple[list[Any], int]] = {
    "one dot": ([[[5, 5]]], 1),
    "one dot, held": ([[[5, 5]] * 9], 1),
    "two dots": ([[[5, 5]], [[5, 9]]], 2),
    "a dash": ([[[0, 3], [100, 3]]], round(WIDEST / 0.2) + 1),
    "an i": ([[[0, 0], [0, 10]], [[0, 15]]], 7),
    "a stroke without points": ([[], [[0, 0], [0, 10]], []], 6),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_strokes_are_defined_and_finite(name: str) -> None:
    strokes, steps = ODD[name]
    features = pen_features(strokes)
    assert features.shape == (steps, 4) and np.isfinite(features).all()
    assert features[:, UP].sum() == sum(len(points) > 0 for points in strokes)
    picture = pen_picture(strokes, 12)
    assert len(picture) == 12 and 0.5 <= picture.max() <= 1 and picture.min() == 0
    assert not picture[[0, -1]].any() and not picture[:, [0, -1]].any()  # the margin


@pytest.mark.parametrize(
    ("strokes", "said"),
    [
        ([], "no points in its 0 strokes"),
        ([[], []], "no points in its 2 strokes"),
        ([[[0, 0]], [[1, 2], [3, float("nan")]]], r"stroke 1, point 1 is \[3.0, nan\]; coordinates must be finite"),
        ([[[float("inf"), 0]]], "stroke 0, point 0 is"),
        ([[[1, 2, 3]]], r"stroke 0 must be points \(x, y\), not of shape \(1, 3\)"),
        ([[1, 2]], r"not of shape \(2,\)"),
    ],
)
def test_what_is_no_trajectory_is_refused_by_stroke_and_point(strokes: list[Any], said: str) -> None:
    for read in (pen_features, lambda strokes: pen_picture(strokes, 24)):
        with pytest.raises(ValueError, match=said):
            read(strokes)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan")])
def test_a_spacing_is_a_length(spacing: float) -> None:
    with pytest.raises(ValueError, match="spacing must be above 0, not"):
        pen_features([[[0, 0]]], spacing=spacing)


@pytest.mark.parametrize("seed", range(3))
def test_transformed_features_are_those_of_the_transformed_points(seed: int) -> None:
    draws = np.random.default_rng(seed)
    features, matrix = pen_features(scribble(seed)), draws.normal(0, 1, (2, 2))
    found = transformed(features, matrix).astype(np.float64)
    points = np.cumsum(features[:, :2].astype(np.float64), 0) @ matrix.T
    np.testing.assert_allclose(np.cumsum(found[:, :2], 0), points, atol=1e-4)
    np.testing.assert_allclose(np.diff(found[:, Y]), np.diff(points[:, 1]), atol=1e-4)
    np.testing.assert_array_equal(found[:, UP], features[:, UP])
    np.testing.assert_array_equal(transformed(features, np.eye(2)), features)
    back = transformed(transformed(features, matrix), np.linalg.inv(matrix))
    np.testing.assert_allclose(back[:, [DX, DY, UP]], features[:, [DX, DY, UP]], atol=1e-4)
