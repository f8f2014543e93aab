"""Pictures of forecasts: what was, what was forecast, and the interval.

Shapes: T steps of context, H steps of horizon, Q quantiles.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.display.plotting import LOOK, drawing, label, plt, save

BLUE = "#0072B2"
LEAST_BEFORE = 48
"""Steps of the context that are shown, where it has them; three horizons, if these are more."""


class Shown(NamedTuple):
    """A window: the ``name`` of its target, the values ``before`` (T,) and ``after`` (H,), the quantiles ``forecast`` (H, Q) of
    which ``chosen`` is the forecast, and what their ``interval`` is called, nothing where there is none."""

    name: str
    before: np.ndarray
    after: np.ndarray
    forecast: np.ndarray
    chosen: int
    interval: str


def windows_shown(windows: Sequence[Shown], file: Path) -> None:
    """Each of the ``windows``: the context, the values after it, black, and the forecast, blue, with its interval."""
    with drawing(file, look=LOOK | {"font.size": 11}):
        rows = (len(windows) + 1) // 2
        figure, grid = plt.subplots(rows, 2, figsize=(14, 2.9 * rows), squeeze=False)
        for axes in grid.flat[len(windows) :]:
            axes.set_axis_off()
        for axes, window in zip(grid.flat, windows, strict=False):
            horizon = len(window.after)
            before = window.before[-max(LEAST_BEFORE, 3 * horizon) :]
            ahead = np.arange(1, horizon + 1)
            axes.plot(np.arange(1 - len(before), 1), before, color="black", alpha=0.45, linewidth=1.2)
            axes.plot(ahead, window.after, color="black", linewidth=1.6, label="what came")
            axes.plot(ahead, window.forecast[:, window.chosen], color=BLUE, linewidth=1.8, label="forecast")
            if window.interval:
                lowest, highest = window.forecast[:, 0], window.forecast[:, -1]
                axes.fill_between(ahead, lowest, highest, color=BLUE, alpha=0.2, linewidth=0, label=window.interval)
            axes.set(ylabel=label(window.name))
            axes.axvline(0.5, color="black", linewidth=0.8, alpha=0.4)
        for axes in grid[-1]:
            axes.set(xlabel="step ahead")
        handles, names = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3)
        save(figure, file)
