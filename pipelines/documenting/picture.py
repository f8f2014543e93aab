"""The comparison as one picture: a panel a task, in each a line an architecture, drawn from stored results.

The file holds the digest of the values that it shows, so whether it is up to date is known without drawing it.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from pipelines.comparing.figures import style
from pipelines.comparing.summary import Row
from pipelines.display.plotting import LOOK, plt, save

DIGEST = "Digest"
COLUMNS, PANEL_WIDTH, LINE_HEIGHT, FRAME_HEIGHT = 3, 4.6, 0.36, 1.35  # inches


def digest(panels: Sequence[Sequence[Row]]) -> str:
    """A SHA-256 of all that ``draw`` shows of the rows: values, names, looks and references."""
    shown = [[_values(row) for row in rows] + [_words(rows)] for rows in panels]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _values(row: Row) -> list[object]:
    look = [style(row.rnn)[key] for key in ("color", "marker")]
    return [row.label, look, row.task.variant is not None, [run.metrics[row.task.metric.name] for run in row.runs]]


def _words(rows: Sequence[Row]) -> list[object]:
    task = rows[0].task
    return [task.title, _axis(rows), [[reference.name, reference.value] for reference in task.references]]


def _axis(rows: Sequence[Row]) -> str:
    task = rows[0].task
    return f"{task.metric.name}, {'lower' if task.metric.sort_key(0) < task.metric.sort_key(1) else 'higher'} is better"


def drawn_digest(file: Path) -> str | None:
    """The digest of the values that a picture was drawn from; ``None`` where there is no such picture, or no whole one."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            image.load()
            return image.info.get(DIGEST)
    except (OSError, SyntaxError):  # as Pillow says it
        return None


def draw(panels: Sequence[Sequence[Row]], file: Path) -> None:
    """Draw a panel for the rows of each task, side by side, three on a line."""
    lines = [panels[at : at + COLUMNS] for at in range(0, len(panels), COLUMNS)]
    heights = [FRAME_HEIGHT + LINE_HEIGHT * max(map(len, line)) for line in lines]
    size = (PANEL_WIDTH * COLUMNS, sum(heights))
    with plt.rc_context(LOOK | {"font.size": 11, "axes.titlesize": 12}):
        figure, grid = plt.subplots(len(lines), COLUMNS, figsize=size, squeeze=False, height_ratios=heights)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, rows in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, rows)
        save(figure, file, {DIGEST: digest(panels), "Software": None})


def _draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """The metric of every seed, its mean and its 95% interval: one line an architecture, the best on top."""
    for line, row in enumerate(reversed(rows)):
        look, measured = style(row.rnn, variant=row.task.variant is not None), row.spread(row.task.metric.name)
        seeds = [run.metrics[row.task.metric.name] for run in row.runs]
        axes.plot(seeds, [line] * len(seeds), linestyle="", marker="|", markersize=11, color=look["color"], alpha=0.7)
        axes.errorbar(measured.mean, line, xerr=measured.half or 0, capsize=3, markersize=7, linewidth=2, **look)
    axes.set_yticks(range(len(rows)), [row.label for row in reversed(rows)])
    axes.set(ylim=(-0.6, len(rows) - 0.4), xlabel=_axis(rows), title=rows[0].task.title)
    low, high = axes.get_xlim()
    for reference in rows[0].task.references:
        if low <= reference.value <= high + 0.1 * math.fabs(high - low):
            axes.axvline(reference.value, color="black", linestyle="--", linewidth=1, alpha=0.7)
            place = {"xycoords": ("data", "axes fraction"), "xytext": (-2, 0), "textcoords": "offset points"}
            axes.annotate(reference.name, (reference.value, 1), rotation=90, ha="right", va="top", fontsize=9, **place)
