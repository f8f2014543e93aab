"""Pictures of what a model answers: its attention, and which classes it confuses.

Shapes: S source tokens, U target tokens, L classes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.display.numbers import short
from pipelines.display.plotting import LOOK, plt, save


def attention_map(weights: NDArray[np.float32], source: Sequence[str], target: Sequence[str], file: Path) -> Path:
    """How much each target word (from top to bottom) attended to each source word (from left to right): ``weights`` (U, S)."""
    with plt.rc_context(LOOK | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(2 + 0.38 * len(source), 1.2 + 0.34 * len(target)))
        axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), source, rotation=60, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(len(target)), target)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        return save(figure, file)


def confusion(counts: NDArray[np.int64], names: Sequence[str], file: Path) -> Path:
    """How often each class (from top to bottom) was taken for each (from left to right): ``counts`` (L, L), shaded by row."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 2 + 0.42 * len(names)
    with plt.rc_context(LOOK | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(side, side - 0.6))
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="found", ylabel="right")
        axes.tick_params(length=0)
        for row, column in zip(*counts.nonzero(), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, short(int(counts[row, column])), ha="center", va="center", fontsize=6.5, color=colour)
        return save(figure, file)
