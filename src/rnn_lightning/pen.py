"""Features of pen trajectories: resampled along the path, in units of the height of the writing; and their pictures.

Shapes: N points of a stroke, T points of all strokes after resampling, F = 4 features, as `FEATURES` names them, H x W pixels
of a picture.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_counts

FEATURES = ("dx", "dy", "y", "up")
"""The way from the point before, the height above the middle of the writing, and whether the pen came through the air."""
WIDEST = 20
"""Writing is taken to be at least 1/20 as high as it is wide: a dash has a height too."""
LOWEST = 8
"""Pixels of the height of a picture: in fewer there is no room for digits."""

Points = NDArray[np.float64]


def pen_features(strokes: Sequence[ArrayLike], *, spacing: float = 0.2, upright: bool = False) -> NDArray[np.float32]:
    """The features (T, F) of ``strokes``, arrays (N, 2) of pen-down points, in any unit and at any sampling rate.

    The unit of length is the height of the writing, sqrt(12) times the standard deviation of y along the ink, which for an
    upright bar is its length; so neither place nor size nor the rate of the recording matters, and the aspect is kept. Each
    stroke is resampled at equal distances of about ``spacing`` along its path, both ends included. With ``upright`` the
    slant of the steep parts is taken out by a shear. Points that repeat the one before are dropped, strokes without a point
    are passed over, and a stroke of one point is a dot: one step.

    Raises:
        ValueError: where there is no point at all, a stroke is no (N, 2), or a coordinate is not finite; names the stroke.
    """
    if not spacing > 0:
        raise ValueError(f"spacing must be above 0, not {spacing}")
    ink = _ink(strokes)
    if upright:
        shear = np.array([[1.0, 0.0], [-slant(ink), 1.0]])
        ink = [points @ shear for points in ink]
    middle, deviation = spread(ink)
    height = np.sqrt(12) * max(deviation[1], deviation[0] / WIDEST) or 1.0
    resampled = [along_path((points - middle) / height, spacing) for points in ink]
    points = np.concatenate(resampled)  # (T, 2)
    up = np.zeros(len(points))
    up[np.cumsum([0, *map(len, resampled[:-1])])] = 1
    steps = np.diff(points, axis=0, prepend=points[:1])
    return np.column_stack([steps, points[:, 1], up]).astype(np.float32)


def pen_picture(strokes: Sequence[ArrayLike], height: int) -> NDArray[np.float32]:
    """The picture (H, W) of ``strokes``, as those of `pen_features`, drawn by a round pen: 0 is paper, 1 is ink.

    The writing fills the ``height`` but for a margin, its aspect kept; the width is what it takes. The pen is 1/12 of the
    height wide, and its edge is smooth over one pixel, in 255 steps as files have them.

    Raises:
        ValueError: for a ``height`` below 8, or as ``pen_features``.
    """
    check_counts(least=LOWEST, height=height)
    ink, radius = _ink(strokes), height / 24
    reach = int(np.ceil(radius)) + 1  # pixels from a point that its ink may touch, and the margin
    low, high = (edge(np.concatenate(ink), axis=0) for edge in (np.min, np.max))
    (width, rise), room = high - low, height - 1 - 2 * reach
    scale = room / (max(rise, width / WIDEST) or 1.0)
    corner = np.array([reach, reach + (room - rise * scale) / 2])  # what is flat lies in the middle
    drawn = np.concatenate([along_path((points - low) * scale, 0.25) for points in ink]) + corner  # x and y in pixels
    picture = np.zeros((height, int(np.ceil(width * scale)) + 2 * reach + 1))
    nearest = np.rint(drawn).astype(np.int64)
    for offset in np.ndindex(2 * reach + 1, 2 * reach + 1):
        pixels = nearest + np.array(offset) - reach
        touched = np.clip(radius + 0.5 - np.hypot(*(pixels - drawn).T), 0, 1)
        np.maximum.at(picture, (height - 1 - pixels[:, 1], pixels[:, 0]), touched)
    return np.rint(255 * picture).astype(np.float32) / np.float32(255)


def transformed(features: NDArray[np.float32], matrix: ArrayLike) -> NDArray[np.float32]:
    """The ``features`` (T, F) after a linear map, ``matrix`` (2, 2), of all points (x, y) about the middle of the writing.

    Nothing is normalised anew: what becomes larger stays larger, its points further apart.
    """
    transform = np.asarray(matrix, np.float64)
    steps = features[:, :2].astype(np.float64)
    x = np.cumsum(steps[:, 0])
    y = transform[1, 0] * (x - x.mean()) + transform[1, 1] * features[:, 2]
    return np.column_stack([steps @ transform.T, y, features[:, 3]]).astype(np.float32)


def spread(ink: Sequence[Points]) -> tuple[Points, Points]:
    """Mean (2,) and standard deviation (2,) of the points of ``ink`` along its path; of its dots, where it has only these.

    A straight segment from a to b has the mean (a + b) / 2 and the variance (b - a)^2 / 12, however it is sampled.
    """
    starts, ends = (np.concatenate([points[part] for points in ink]) for part in (slice(None, -1), slice(1, None)))
    weights = np.hypot(*(ends - starts).T)
    if not weights.sum():
        starts = ends = np.concatenate(ink)
        weights = np.ones(len(starts))
    shares = (weights / weights.sum())[:, None]
    middles = (starts + ends) / 2
    mean = (shares * middles).sum(0)
    return mean, np.sqrt((shares * ((middles - mean) ** 2 + (ends - starts) ** 2 / 12)).sum(0))


def slant(ink: Sequence[Points]) -> float:
    """The slant dx / dy of the parts of ``ink`` that rise or fall by more than 45 degrees, to the right; 0 if none do."""
    steps = np.concatenate([np.diff(points, axis=0) for points in ink])  # (N, 2)
    steep = steps[np.abs(steps[:, 1]) > np.abs(steps[:, 0])]
    lengths = np.hypot(*steep.T)
    return float((steep[:, 0] * steep[:, 1] / lengths).sum() / (steep[:, 1] ** 2 / lengths).sum()) if len(steep) else 0.0


def along_path(points: Points, spacing: float) -> Points:
    """Resample the path through ``points`` (N, 2), no two in a row alike, at the equal distance nearest to ``spacing``."""
    if len(points) == 1:
        return points
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    distances = np.linspace(0, lengths[-1], max(1, round(lengths[-1] / spacing)) + 1)
    return np.column_stack([np.interp(distances, lengths, axis) for axis in points.T])


def moving(points: Points) -> Points:
    """The ``points`` (N, 2) without those that repeat the one before."""
    return points[np.concatenate([[True], (np.diff(points, axis=0) != 0).any(1)])]


def _ink(strokes: Sequence[ArrayLike]) -> list[Points]:
    """The points (N, 2) of those ``strokes`` that have any, none of them like the one before."""
    ink = [moving(points) for points in map(_checked, strokes, range(len(strokes))) if len(points)]
    if not ink:
        raise ValueError(f"the trajectory has no points in its {len(strokes)} strokes")
    return ink


def _checked(stroke: ArrayLike, number: int) -> Points:
    """The points (N, 2) of stroke ``number``, which may have none."""
    points = np.asarray(stroke, np.float64)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"stroke {number} must be points (x, y), not of shape {points.shape}")
    wrong = np.flatnonzero(~np.isfinite(points).all(1))
    if len(wrong):
        raise ValueError(f"stroke {number}, point {wrong[0]} is {points[wrong[0]].tolist()}; coordinates must be finite")
    return points
