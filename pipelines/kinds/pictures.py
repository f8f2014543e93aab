"""Pictures of what a model answers: its attention, and which classes it confuses.

Shapes: S source tokens, U target tokens, L classes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.display.numbers import short
from pipelines.display.plotting import LOOK, drawing, label, plt, save
from pipelines.kinds.base import most_confused

MOST_TOKENS, MOST_CLASSES = 60, 60
"""So many tokens of a text, and so many classes, a picture has room for."""


def attention_map(weights: NDArray[np.float32], source: Sequence[str], target: Sequence[str], file: Path) -> None:
    """How much each target word (from top to bottom) attended to each source word (from left to right): ``weights`` (U, S).

    Of long texts it shows the first `MOST_TOKENS` tokens, and its title says so.
    """
    across, down = ([label(word) for word in words[:MOST_TOKENS]] for words in (source, target))
    cut = [f"{MOST_TOKENS} of {len(words)} {side}" for words, side in ((source, "source"), (target, "target"))]
    cut = [said for said, words in zip(cut, (source, target), strict=True) if len(words) > MOST_TOKENS]
    with drawing(file, look=LOOK | {"axes.grid": False}):
        size = 2 + 0.38 * len(across) + room_for(down), 1.2 + 0.34 * len(down) + room_for(across)
        figure, axes = plt.subplots(figsize=size)
        axes.imshow(weights[:MOST_TOKENS, :MOST_TOKENS], cmap="Greys", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(across)), across, rotation=60, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(len(down)), down)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        if cut:
            axes.set_title(f"the first {' and '.join(cut)} tokens")
        save(figure, file)


def confusion(counts: NDArray[np.int64], names: Sequence[str], file: Path) -> None:
    """How often each class (from top to bottom) was taken for each (from left to right): ``counts`` (L, L), shaded by row.

    Of more than `MOST_CLASSES` it shows those of the most errors, and its title says so.
    """
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    shown = most_confused(counts, MOST_CLASSES)
    shares, shown_counts = (values[np.ix_(shown, shown)] for values in (shares, counts))
    shown_names = [label(names[number]) for number in shown]
    side = 2 + 0.42 * len(shown) + room_for(shown_names)
    with drawing(file, look=LOOK | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(side, side - 0.6))
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(shown)), shown_names, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(shown)), shown_names)
        axes.set(xlabel="found", ylabel="right")
        axes.tick_params(length=0)
        if len(shown) < len(names):
            axes.set_title(f"the {len(shown)} of {len(names)} classes with the most errors")
        for row, column in zip(*shown_counts.nonzero(), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = short(int(shown_counts[row, column]))
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
        save(figure, file)


def room_for(names: Sequence[str]) -> float:
    """The inches that long ``names`` beside a picture need more than short ones."""
    return 0.12 * max([0, *(len(name) - 12 for name in names)])
