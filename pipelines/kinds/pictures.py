"""Pictures of what a model answers: its attention, and which classes it confuses.

Shapes: S source tokens, U target tokens, L classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipelines.display.numbers import short
from pipelines.display.plotting import LOOK, drawing, label, plt, save
from pipelines.kinds.base import most_confused

MOST_TOKENS, MOST_STEPS, MOST_CLASSES = 60, 2000, 60
"""So many tokens of a text, steps of a signal, and classes a picture has room for."""
BLANK = "\N{OPEN BOX}"
"""What stands for a token that is a space."""


class Attended(NamedTuple):
    """What each token of a ``target`` attended to: ``weights`` (U, S) over the tokens of the ``source``, or over steps that
    have no names (``None``); a ``title`` for its panel."""

    weights: NDArray[np.float32]
    source: Sequence[str] | None
    target: Sequence[str]
    title: str = ""

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """The tokens of the source, none where it has no names, and of the target, as there is room for them."""
        across, down = ([label(word) if word.strip() else BLANK for word in (words or ())[:MOST_TOKENS]] for words in self[1:3])
        return across, down

    @property
    def steps(self) -> int:
        """The columns of its panel."""
        return min(self.weights.shape[1], MOST_STEPS if self.source is None else MOST_TOKENS)

    @property
    def heading(self) -> str:
        """The title, with what is left out of a long text."""
        most, total = self.steps, self.weights.shape[1]
        cut = [f"{most} of {total} {'steps' if self.source is None else 'source'}"] if total > most else []
        cut += [f"{MOST_TOKENS} of {len(self.target)} target"] if len(self.target) > MOST_TOKENS else []
        said = f"the first {' and '.join(cut)} tokens" if cut else ""
        return ": ".join(filter(None, (self.title, said)))


def attention_map(weights: NDArray[np.float32], source: Sequence[str], target: Sequence[str], file: Path) -> None:
    """How much each target word (from top to bottom) attended to each source word (from left to right): ``weights`` (U, S).

    Of long texts it shows the first `MOST_TOKENS` tokens, and its title says so.
    """
    attention_maps([Attended(weights, source, target)], file)


def attention_maps(panels: Sequence[Attended], file: Path) -> None:
    """A heat map for each of the ``panels``, one below the other, with cells of one size; see `attention_map`."""
    names = [panel.names for panel in panels]
    widest = max(panel.steps for panel in panels)
    cell = 0.38 if all(panel.source is not None for panel in panels) else min(0.38, 16 / widest)
    width = 2 + cell * widest + max(room_for(down) for _, down in names)
    heights = [1.2 + 0.34 * len(down) + room_for(across) for across, down in names]
    with drawing(file, look=LOOK | {"axes.grid": False}):
        size = (max(width, 4), sum(heights))
        figure, grid = plt.subplots(len(panels), squeeze=False, figsize=size, height_ratios=heights)
        for axes, panel, (across, down) in zip(grid.flat, panels, names, strict=True):
            most = 1 if panel.source is not None else None  # of many steps each has little
            axes.imshow(panel.weights[:MOST_TOKENS, : panel.steps], cmap="Greys", vmin=0, vmax=most, aspect="auto")
            axes.spines[:].set_visible(False)
            outline = Rectangle((-0.5, -0.5), float(panel.steps), float(len(down)), fill=False, linewidth=0.8, clip_on=False)
            axes.add_patch(outline)
            axes.set(xlim=(-0.5, widest - 0.5), title=panel.heading)
            axes.set_yticks(range(len(down)), down)
            axes.tick_params(length=0)
            if panel.source is None:
                axes.set_xlabel("step")
            else:
                axes.set_xticks(range(len(across)), across, rotation=60, ha="left", rotation_mode="anchor")
                axes.xaxis.tick_top()
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
