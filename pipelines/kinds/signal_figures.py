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

from pipelines.display.plotting import LOOK, drawing, label, plt, save
from rnn_lightning.pen import FEATURES

LIFTER = 22
"""What Kaldi lifts cepstra by: coefficient k is multiplied by 1 + 11 sin(pi k / 22)."""
RIGHT, WRONG = "black", "#D55E00"
MOST_STEPS, MOST_LABELS = 2000, 100
"""So many steps and labels of a row a picture has room for."""


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


def pen_words(words: Sequence[tuple[NDArray[np.float32], str, str]], file: Path) -> None:
    """The strokes of each of ``words``, features (T, 4), what was found and what is right: alike black, else in colour."""
    with drawing(file, look=LOOK | {"axes.grid": False}):
        rows = (len(words) + 2) // 3
        figure, grid = plt.subplots(rows, 3, figsize=(12, 1.8 * rows), squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (features, found, right) in zip(grid.flat, words, strict=False):
            for points in strokes_of(features):
                axes.plot(*points.T, color="#0072B2", linewidth=1.6, marker="." if len(points) == 1 else None)
            axes.set_aspect("equal", adjustable="datalim")
            title = label(found) if found == right else f"{label(found) or '(nothing)'}, not {label(right)}"
            axes.set_title(title, fontsize=11, color=RIGHT if found == right else WRONG)
        save(figure, file)


def utterance(picture: Picture, right: Sequence[str], found: Sequence[str], file: Path) -> None:
    """The ``picture`` of a row over time, and under it the right and the found class of each of its T frames.

    Of long rows it shows the first `MOST_STEPS` frames, and its title says so.
    """
    picture, title = cut_to(picture, len(right))
    right, found = right[:MOST_STEPS], found[:MOST_STEPS]
    names, steps = sorted({*right, *found}), len(right)
    with drawing(file, look=LOOK | {"axes.grid": False}):
        figure, (above, below) = plt.subplots(
            2, 1, sharex=True, figsize=(max(8, min(0.04 * steps, 18)), 5), height_ratios=[3, 1]
        )
        draw_signal(above, picture, steps)
        above.set_title(title)
        numbers = np.array([[names.index(name) for name in row] for row in (found, right)])
        below.imshow(numbers, aspect="auto", origin="lower", cmap="tab20", interpolation="nearest")
        cuts = [0, *(np.flatnonzero(np.diff(numbers[1])) + 1), len(right)]
        for start, end in pairwise(cuts):
            below.text((start + end - 1) / 2, 1, label(right[int(start)]), ha="center", va="center", fontsize=7)
        below.set_yticks([0, 1], ["found", "right"])
        below.set(xlabel="frame")
        save(figure, file)


def alignment(
    picture: Picture,
    values: NDArray[np.float32],
    labels: Sequence[str],
    *,
    blank: int,
    aligned: Sequence[tuple[int, float]],
    file: Path,
) -> None:
    """The probability of each label at each step, ``values`` (T', C), over the ``picture`` of the signal. The labels of the
    target are named where they are said, ``aligned``, a label and its step each; the blank is grey.

    Of long rows it shows the first `MOST_STEPS` steps, and its title says so.
    """
    picture, title = cut_to(picture, len(values))
    values, aligned = values[:MOST_STEPS], [(number, step) for number, step in aligned if step < MOST_STEPS]
    drawn = sorted({number for number, _ in aligned})
    with drawing(file):
        size = (max(8, min(0.03 * len(values), 16)), 6)
        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=size, height_ratios=[3, 2])
        above.fill_between(range(len(values)), values[:, blank], color="black", alpha=0.12, linewidth=0, label="blank")
        colours = plt.get_cmap("tab20")
        for place, number in enumerate(drawn):
            above.plot(values[:, number], color=colours(place % 20), linewidth=1.8)
        for number, step in aligned:
            name = label(labels[number]) if labels[number].strip() else "\N{OPEN BOX}"
            above.annotate(name, (step, 1.02), ha="center", color=colours(drawn.index(number) % 20), fontsize=11)
        above.set(ylim=(0, 1.1), ylabel="probability", title=title)
        above.legend(loc="center right")
        draw_signal(below, picture, len(values))
        below.set(xlabel="step", xlim=(-0.5, len(values) - 0.5))
        save(figure, file)


def attended(picture: Picture, weights: NDArray[np.float32], found: Sequence[str], file: Path) -> None:
    """What each label ``found`` attended to, ``weights`` (U, T'), from top to bottom, over the ``picture`` of the signal.

    Of long rows it shows the first `MOST_STEPS` steps and `MOST_LABELS` labels, and its title says so.
    """
    picture, title = cut_to(picture, weights.shape[1])
    weights, found = weights[:MOST_LABELS, :MOST_STEPS], found[:MOST_LABELS]
    steps = weights.shape[1]
    with drawing(file, look=LOOK | {"axes.grid": False}):
        size = (max(8, min(0.03 * steps, 16)), 4 + 0.2 * len(found))
        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=size, height_ratios=[0.2 * len(found), 3])
        above.imshow(weights, aspect="auto", cmap="Greys", vmin=0, extent=(-0.5, steps - 0.5, len(found) - 0.5, -0.5))
        above.set_yticks(range(len(found)), [label(name) if name.strip() else "\N{OPEN BOX}" for name in found])
        above.set(ylabel="found", title=title)
        draw_signal(below, picture, steps)
        below.set(xlabel="step")
        save(figure, file)


def cut_to(picture: Picture, steps: int) -> tuple[Picture, str]:
    """The part of a ``picture`` of so many ``steps`` that there is room for, and the title that says so."""
    if steps <= MOST_STEPS:
        return picture, ""
    kept = round(len(picture.values) * MOST_STEPS / steps)
    return picture._replace(values=picture.values[:kept]), f"the first {MOST_STEPS} of {steps} steps"


def draw_signal(axes: Axes, picture: Picture, steps: int) -> None:
    """The ``picture`` along an axis of so many ``steps``."""
    extent = (-0.5, steps - 0.5, -0.5, picture.values.shape[1] - 0.5)
    axes.imshow(picture.values.T, aspect="auto", origin="lower", cmap="magma", interpolation="nearest", extent=extent)
    axes.set(ylabel=picture.name)
    axes.grid(visible=False)
