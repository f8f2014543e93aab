"""Synthetic handwriting: strings of digits as pen trajectories or their pictures, each in a random hand.

Shapes: K points that a stroke is drawn through, N points of its recording, F features as in `pen`, or pixels of a column.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pen import FEATURES, LOWEST, pen_features, pen_picture
from .card import CardFields
from .corpus import RawSplit
from .examples import feature_card, write_transcripts
from .generated import Generated, random_stream
from .reading import Examples, concatenate

GLYPHS: dict[str, list[list[tuple[float, float]]]] = {
    "0": [[(0.5, 1), (0.15, 0.75), (0.1, 0.35), (0.3, 0), (0.55, 0.1), (0.7, 0.5), (0.62, 0.85), (0.45, 1)]],
    "1": [[(0.15, 0.75), (0.4, 1), (0.4, 0.5), (0.4, 0)]],
    "2": [[(0.1, 0.8), (0.3, 1), (0.6, 0.9), (0.6, 0.65), (0.3, 0.3), (0.05, 0), (0.65, 0)]],
    "3": [[(0.1, 0.9), (0.35, 1), (0.6, 0.8), (0.3, 0.54), (0.6, 0.4), (0.6, 0.15), (0.35, 0), (0.08, 0.1)]],
    "4": [[(0.45, 1), (0.05, 0.35), (0.7, 0.35)], [(0.5, 0.65), (0.48, 0)]],
    "5": [[(0.2, 1), (0.15, 0.55), (0.4, 0.6), (0.65, 0.35), (0.45, 0.02), (0.1, 0.08)], [(0.2, 1), (0.65, 1)]],
    "6": [[(0.55, 1), (0.2, 0.65), (0.1, 0.25), (0.35, 0), (0.6, 0.2), (0.45, 0.45), (0.15, 0.3)]],
    "7": [[(0.08, 1), (0.65, 1), (0.45, 0.5), (0.3, 0)], [(0.2, 0.5), (0.6, 0.5)]],
    "8": [[(0.55, 0.85), (0.3, 1), (0.12, 0.8), (0.6, 0.25), (0.35, 0), (0.1, 0.22), (0.35, 0.52), (0.6, 0.82)]],
    "9": [[(0.6, 0.8), (0.35, 1), (0.1, 0.75), (0.3, 0.5), (0.58, 0.7), (0.6, 0.85), (0.55, 0.4), (0.45, 0)]],
}
"""The strokes of each digit: points (x, y) of a box one unit high that a smooth curve is drawn through."""


class PenDigits(Generated):
    """A pairs corpus for CTC: ``digits`` (at least, at most) digits in a row, drawn as pen strokes.

    Each row is a hand: its slant, its width and size, how close its digits stand and how fast it draws are drawn at random.
    ``sloppiness`` is the deviation of the points that a curve goes through, ``tremor`` that of each recorded point, both in
    heights of a digit. ``spacing`` is that of `pen_features`. With ``height`` the strokes are drawn, see `pen_picture`, and a
    step is a column of their picture, from left to right, of so many pixels from top to bottom.
    """

    def __init__(
        self,
        *,
        rows: Mapping[str, int],
        seed: int,
        digits: Sequence[int] = (3, 6),
        sloppiness: float = 0.06,
        tremor: float = 0.01,
        spacing: float = 0.25,
        height: int | None = None,
    ) -> None:
        super().__init__(rows=rows, seed=seed)
        if len(digits) != 2 or not 1 <= digits[0] <= digits[1]:
            raise ValueError(f"digits must be the least and the most of a row, 1 or more, not {list(digits)}")
        for name, deviation in (("sloppiness", sloppiness), ("tremor", tremor)):
            if not deviation >= 0:
                raise ValueError(f"{name} must be 0 or more, not {deviation}")
        if not spacing > 0:
            raise ValueError(f"spacing must be above 0, not {spacing}")
        if height is not None and (not isinstance(height, int) or height < LOWEST):
            raise ValueError(f"height must be a whole number of at least {LOWEST}, or None, not {height!r}")
        self.digits, self.sloppiness, self.tremor = list(digits), sloppiness, tremor
        self.spacing, self.height = spacing, height

    def parameters(self) -> dict[str, Any]:
        hand = {"digits": self.digits, "sloppiness": self.sloppiness, "tremor": self.tremor}
        form = {"spacing": self.spacing} if self.height is None else {"height": self.height}
        return {**hand, **form, "glyphs": {digit: str(strokes) for digit, strokes in GLYPHS.items()}}

    def inputs(self) -> dict[str, Any]:
        if self.height is None:
            return {"name": "strokes", "spacing": self.spacing}
        return {"name": "picture", "order": "columns", "height": self.height, "invert": True}

    def fetch_into(self, folder: Path) -> None:
        pass

    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        splits = {split: self.draw(rows, random_stream(self.seed, split)) for split, rows in self.rows.items()}
        values = splits["train"].inputs.values
        if self.height is None:
            form, more = "pen strokes", {"features": list(FEATURES), **feature_card(values)}
        else:
            form, more = "pictures", feature_card(values, alike=True)
        least, most = self.digits
        stated = {name: value for name, value in source.items() if name != "glyphs"}
        write_transcripts(processed, splits, CardFields(f"Numbers of {least} to {most} digits in {form}", stated, more=more))

    def raw_split(self, raw: Path) -> RawSplit:
        return RawSplit("transcripts", self.draw(self.rows["test"], random_stream(self.seed, "test")))

    def draw(self, rows: int, generator: np.random.Generator) -> Examples:
        """``rows`` numbers, their features (T, F) and their digits."""
        numbers = ["".join(map(str, generator.integers(10, size=self.length(generator)))) for _ in range(rows)]
        return Examples(concatenate([self.read(self.written(number, generator)) for number in numbers]), numbers)

    def read(self, strokes: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
        """The features (T, F) of ``strokes``, or the columns of their picture."""
        if self.height is None:
            return pen_features(strokes, spacing=self.spacing)
        return np.ascontiguousarray(pen_picture(strokes, self.height).T)

    def length(self, generator: np.random.Generator) -> int:
        """The number of digits of a row, drawn uniformly."""
        return int(generator.integers(self.digits[0], self.digits[1], endpoint=True))

    def written(self, number: str, generator: np.random.Generator) -> list[NDArray[np.float64]]:
        """The strokes of a number in one hand, each (N, 2)."""
        slant, width, size = generator.normal(0.1, 0.2), generator.uniform(0.7, 1.2), np.exp(generator.normal(0, 0.5))
        gap, rate = generator.uniform(0.05, 0.35), int(generator.integers(4, 12))
        shear = size * np.array([[width, 0.0], [slant, 1.0]])
        strokes, edge = [], 0.0
        for digit in number:
            for points in GLYPHS[digit]:
                meant = np.array(points) + generator.normal(0, self.sloppiness, (len(points), 2))
                recorded = curve(meant, rate)
                recorded += generator.normal(0, self.tremor, recorded.shape)
                strokes.append((recorded + np.array([edge, 0.0])) @ shear)
            edge += 0.7 + gap
        return strokes


def curve(points: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """A smooth curve through ``points`` (K, 2), with ``rate`` points from each to the next: ((K - 1) rate + 1, 2).

    It is the spline of Catmull and Rom, "A Class of Local Interpolating Splines", 1974; its ends go on as they came.
    """
    padded = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    before, begin, end, after = (padded[at : len(points) - 1 + at, None] for at in range(4))  # (K - 1, 1, 2)
    part = np.arange(rate)[:, None] / rate  # (rate, 1)
    straight = begin + (end - before) / 2 * part
    bent = (before - 2.5 * begin + 2 * end - after / 2) * part**2 + (1.5 * (begin - end) + (after - before) / 2) * part**3
    return np.concatenate([(straight + bent).reshape(-1, 2), points[-1:]])
