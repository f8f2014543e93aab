"""The picture of `benchmarks.recurrence`: how many times as fast as what stands beside it, and how time grows with size."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw(rows: list[dict[str, Any]], grown: list[dict[str, Any]], file: Path) -> None:
    """Write the picture of both tables to ``file``."""
    figure = Figure((11, 1.5 + 0.16 * len(rows)), layout="constrained")
    ratios, growth = figure.subplots(1, 2, width_ratios=[3, 2])
    draw_ratios(ratios, rows)
    draw_growth(growth, [row for row in grown if row["grows"] == "steps"])
    figure.savefig(file, dpi=120)


def draw_ratios(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """A bar for each row, from 1 to its ratio on a logarithmic axis."""
    colours = {beside: f"C{place}" for place, beside in enumerate(sorted({row["beside"] for row in rows}))}
    for place, row in enumerate(rows):
        axes.barh(place, row["ratio"] - 1, left=1, color=colours[row["beside"]])
    for beside, colour in colours.items():
        axes.barh(0, 0, color=colour, label=f"beside {beside}")
    names = [f"{row['cell']}  T {row['steps']}, B {row['rows']}, H {row['units']}" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.set_xscale("log")
    axes.set_xticks(ticks := [1, 2, 5, 10, 20, 50], [str(tick) for tick in ticks])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xlabel="times as fast in training (logarithmic)", ylim=(len(rows) - 0.5, -0.5))
    axes.legend(loc="upper right", fontsize=8)


def draw_growth(axes: Axes, grown: list[dict[str, Any]]) -> None:
    """Seconds of a forward and backward pass with lengths, against the steps."""
    for row in grown:
        axes.plot(row["values"], row["seconds"], marker="o", label=f"{row['cell']}, exponent {row['time_exponent']:.2f}")
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="seconds of a training step")
    axes.set_xticks(steps := grown[0]["values"], [str(step) for step in steps], minor=False)
    axes.minorticks_off()
    axes.legend(fontsize=8)
