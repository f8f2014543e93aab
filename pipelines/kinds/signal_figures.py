"""Pictures of single rows: a signal over what was heard in it, words of a pen over what was read.

Shapes: T steps, T' steps after subsampling, F features, M bands, C labels, N points of a stroke.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipelines.display.plotting import LOOK, plt, save
from rnn_lightning.pen import FEATURES

LIFTER = 22
"""What Kaldi lifts cepstra by: coefficient k is multiplied by 1 + 11 sin(pi k / 22)."""
RIGHT, WRONG = "black", "#D55E00"


class Picture(NamedTuple):
    """What a signal looks like: ``values`` (T, M), and what its rows are called."""

    values: NDArray[np.float32]
    name: str


def picture_of(features: NDArray[np.float32], card: Mapping[str, Any]) -> Picture:
    """``features`` (T, F) of the corpus that ``card`` describes: the log-mel spectrum (T, M) of sound, else as they are.

    Of cepstra it is the smooth spectrum that they keep, at the log energy that stands in place of the first of them.
    """
    spectra = card.get("spectra")
    if spectra is None:
        return Picture(features, "feature")
    if spectra["kind"] == "log_mel":
        return Picture(features[:, : spectra["mels"]], "log-mel band")
    orders, bands = np.arange(1, spectra["coefficients"]), np.arange(spectra["mels"])
    transform = np.sqrt(2 / len(bands)) * np.cos(np.pi / len(bands) * (bands + 0.5) * orders[:, None])  # (K, M)
    unlifted = features[:, orders] / (1 + LIFTER / 2 * np.sin(np.pi * orders / LIFTER))
    return Picture((features[:, :1] + unlifted @ transform).astype(np.float32), "log-mel band (smooth)")


def strokes_of(features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The strokes, (N, 2) each, of ``features`` (T, 4) of a pen, which begins at x = 0."""
    points = np.column_stack([np.cumsum(features[:, 0]), features[:, 2]])
    return np.split(points, np.flatnonzero(features[:, 3])[1:])


def is_pen(card: Mapping[str, Any]) -> bool:
    """Whether rows of the corpus that ``card`` describes are ways of a pen."""
    return card.get("features") == list(FEATURES)


def pen_words(words: Sequence[tuple[NDArray[np.float32], str, str]], file: Path) -> Path:
    """The strokes of each of ``words``, features (T, 4), what was found and what is right: alike black, else in colour."""
    with plt.rc_context(LOOK | {"axes.grid": False}):
        rows = (len(words) + 2) // 3
        figure, grid = plt.subplots(rows, 3, figsize=(12, 1.8 * rows), squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (features, found, right) in zip(grid.flat, words, strict=False):
            for points in strokes_of(features):
                axes.plot(*points.T, color="#0072B2", linewidth=1.6, marker="." if len(points) == 1 else None)
            axes.set_aspect("equal", adjustable="datalim")
            title = found if found == right else f"{found or '(nothing)'}, not {right}"
            axes.set_title(title, fontsize=11, color=RIGHT if found == right else WRONG, parse_math=False)
        return save(figure, file)


def utterance(picture: Picture, right: Sequence[str], found: Sequence[str], file: Path) -> Path:
    """The ``picture`` of a row over time, and under it the right and the found class of each of its T frames."""
    names = sorted({*right, *found})
    steps = len(picture.values)
    with plt.rc_context(LOOK | {"axes.grid": False}):
        figure, (above, below) = plt.subplots(
            2, 1, sharex=True, figsize=(max(8, min(0.04 * steps, 18)), 5), height_ratios=[3, 1]
        )
        draw_signal(above, picture, steps)
        numbers = np.array([[names.index(name) for name in row] for row in (found, right)])
        below.imshow(numbers, aspect="auto", origin="lower", cmap="tab20", interpolation="nearest")
        cuts = [0, *(np.flatnonzero(np.diff(numbers[1])) + 1), len(right)]
        for start, end in pairwise(cuts):
            below.text((start + end - 1) / 2, 1, right[start], ha="center", va="center", fontsize=7)
        below.set_yticks([0, 1], ["found", "right"])
        below.set(xlabel="frame")
        return save(figure, file)


def alignment(
    picture: Picture,
    values: NDArray[np.float32],
    labels: Sequence[str],
    *,
    blank: int,
    aligned: Sequence[tuple[int, float]],
    file: Path,
) -> Path:
    """The probability of each label at each step, ``values`` (T', C), over the ``picture`` of the signal. The labels of the
    target are named where they are said, ``aligned``, a label and its step each; the blank is grey.
    """
    drawn = sorted({label for label, _ in aligned})
    with plt.rc_context(LOOK):
        size = (max(8, min(0.03 * len(values), 16)), 6)
        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=size, height_ratios=[3, 2])
        above.fill_between(range(len(values)), values[:, blank], color="black", alpha=0.12, linewidth=0, label="blank")
        colours = plt.get_cmap("tab20")
        for number, label in enumerate(drawn):
            above.plot(values[:, label], color=colours(number % 20), linewidth=1.8)
        for label, step in aligned:
            name = labels[label] if labels[label].strip() else "\N{OPEN BOX}"
            above.annotate(name, (step, 1.02), ha="center", color=colours(drawn.index(label) % 20), fontsize=11)
        above.set(ylim=(0, 1.1), ylabel="probability")
        above.legend(loc="center right")
        draw_signal(below, picture, len(values))
        below.set(xlabel="step", xlim=(-0.5, len(values) - 0.5))
        return save(figure, file)


def draw_signal(axes: Axes, picture: Picture, steps: int) -> None:
    """The ``picture`` along an axis of so many ``steps``."""
    extent = (-0.5, steps - 0.5, -0.5, picture.values.shape[1] - 0.5)
    axes.imshow(picture.values.T, aspect="auto", origin="lower", cmap="magma", interpolation="nearest", extent=extent)
    axes.set(ylabel=picture.name)
    axes.grid(visible=False)
