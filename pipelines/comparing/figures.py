"""Figures of a comparison. An architecture has the same colour in all of them, whichever others are there."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from zlib import crc32

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, NullFormatter

from pipelines.comparing.across import CrossTaskScore
from pipelines.comparing.summary import Row
from pipelines.display.numbers import number
from pipelines.display.plotting import LOOK, drawing, plt, save
from pipelines.settings.tasks import Task

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart, and one of Paul Tol's; black is kept for
# references.
COLOURS = ("#999999", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
MARKERS = "osD^vPX"
NAMES = (
    *("elman", "lstm", "gru", "layernorm_lstm", "peephole_lstm", "mingru", "minlstm", "bilstm"),
    *("elman_relu", "lstmp", "layernorm_gru", "bigru", "lru", "feedforward", "janet", "sru"),
    *("indrnn", "diagonal_lstm", "diagonal_gru", "coupled_lstm", "mlstm", "mgu", "qrnn", "slstm"),
    *("qrnn1", "ligru", "mingru_block", "lstm_chrono", "janet_chrono", "mlstm_block"),
)
"""The architectures of ``conf/rnn``, a line for each round of the colours: no two have the same colour and the same marker."""
MARKS = 6
"""About so many points of a curve are marked."""
Curve = Mapping[int, float]
"""Step to value."""


def style(rnn: str, *, variant: bool = False) -> dict[str, Any]:
    """Colour and marker of an architecture, for ever: by its name, not by its rank. In a variant of the task it is hollow."""
    at = NAMES.index(rnn) if rnn in NAMES else crc32(rnn.encode())
    return {
        "color": COLOURS[at % len(COLOURS)],
        "marker": MARKERS[(at + at // len(COLOURS)) % len(MARKERS)],
        "fillstyle": "none" if variant else "full",
    }


def _style(row: Row) -> dict[str, Any]:
    return style(row.rnn, variant=row.task.variant is not None)


def _named(row: Row) -> str:
    """The row's label in lines that leave room for the plot."""
    return textwrap.fill(row.label, 32)


def learning_curves(
    losses: Sequence[tuple[Row, Sequence[Curve]]], curves: Sequence[tuple[Row, Sequence[Curve]]], task: Task, file: Path
) -> Path:
    """The loss in training and the validation metric against the step: a line for the mean over seeds, a band for them all."""
    with drawing(file, look=LOOK | {"figure.figsize": (13, 5)}):
        figure, (left, right) = plt.subplots(1, 2)
        _draw_curves(left, losses)
        _draw_curves(right, curves)
        left.set(ylabel="training loss", title=f"{task.title}: while learning", yscale="log")
        left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")  # without mathematics, which the look leaves out
        left.yaxis.set_minor_formatter(NullFormatter())
        right.set(ylabel=task.metric.monitor)
        _draw_references(right, task)
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        save(figure, file)
    return file


def _draw_curves(axes: Axes, curves: Sequence[tuple[Row, Sequence[Curve]]]) -> None:
    for row, seeds in curves:
        steps = sorted(set.intersection(*(set(curve) for curve in seeds)))
        at_step = [[curve[step] for curve in seeds] for step in steps]
        lowest, highest = [min(values) for values in at_step], [max(values) for values in at_step]
        look, dashes = _style(row), "--" if row.task.variant else "-"
        axes.fill_between(steps, lowest, highest, color=look["color"], alpha=0.18, linewidth=0)
        means, every = [fmean(values) for values in at_step], max(1, len(steps) // MARKS)
        axes.plot(steps, means, linestyle=dashes, linewidth=2, markevery=every, label=_named(row), **look)
    axes.set(xlabel="training step", xlim=(0, None))
    axes.xaxis.set_major_formatter(EngFormatter())


def quality(made: Sequence[Row], task: Task, file: Path) -> Path:
    """The test metric of every seed, its mean and 95% interval: one line an architecture, the best on top."""
    with drawing(file):
        figure, axes = plt.subplots(figsize=(8, 1.6 + 0.6 * len(made)))
        for height, row in enumerate(reversed(made)):
            look, measured = _style(row), row.spread(task.metric.name)
            seeds = [run.metrics[task.metric.name] for run in row.runs]
            axes.plot(seeds, [height] * len(seeds), linestyle="", marker="|", markersize=14, color=look["color"], alpha=0.7)
            axes.errorbar(
                measured.mean,
                height,
                xerr=measured.sides,
                capsize=4,
                markersize=8,
                linewidth=2,
                **look,
            )
        axes.set_yticks(range(len(made)), [_named(row) for row in reversed(made)])
        axes.set(
            ylim=(-0.6, len(made) - 0.4),
            xlabel=f"{task.metric.name}, {_better(task)}",
            title=f"{task.title}: on the test set",
        )
        _draw_references(axes, task, upright=True)
        save(figure, file)
    return file


def quality_and_cost(made: Sequence[Row], task: Task, file: Path) -> Path:
    """The test metric against the number of parameters, and against the speed of training."""
    costs = {"parameters": "parameters", "units_per_second": f"{task.unit} a second in training"}
    with drawing(file, look=LOOK | {"figure.figsize": (13, 5)}):
        figure, both = plt.subplots(1, 2, sharey=True)
        for axes, (cost, label) in zip(both, costs.items(), strict=True):
            for row in made:
                measured, look = row.spread(task.metric.name), {"capsize": 4, "markersize": 9, "linewidth": 2, **_style(row)}
                axes.errorbar(row.mean(cost), measured.mean, yerr=measured.sides, label=_named(row), **look)
            costs_of_rows = [row.mean(cost) for row in made]
            # Networks of equal cost should look equal: the axis does not magnify a difference of a percent.
            axes.set_xlim(min(costs_of_rows) * 0.85, max(costs_of_rows) * 1.15)
            axes.xaxis.set_major_formatter(EngFormatter())
            axes.set(xlabel=label)
        _draw_references(both[0], task)
        both[0].set(ylabel=f"{task.metric.name}, {_better(task)}", title=f"{task.title}: quality and cost")
        handles, labels = both[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper")
        save(figure, file)
    return file


def cross_task_scores(scores: Sequence[CrossTaskScore], file: Path) -> Path:
    """The interquartile mean of each architecture's scores and its interval, the best on top."""
    with drawing(file):
        figure, axes = plt.subplots(figsize=(8, 1.6 + 0.6 * len(scores)))
        for height, score in enumerate(reversed(scores)):
            interval = [[score.score - score.low], [score.high - score.score]]
            axes.errorbar(score.score, height, xerr=interval, capsize=4, markersize=8, linewidth=2, **style(score.rnn))
        axes.set_yticks(range(len(scores)), [score.label for score in reversed(scores)])
        axes.set(ylim=(-0.6, len(scores) - 0.4), xlabel="interquartile mean of scores", title="Over all tasks")
        save(figure, file)
    return file


def _better(task: Task) -> str:
    return "lower is better" if task.metric.mode == "min" else "higher is better"


def _draw_references(axes: Axes, task: Task, upright: bool = False) -> None:
    """A dashed line for each reference that is near; one so far off that it would flatten all else is only named."""
    low, high = axes.get_xlim() if upright else axes.get_ylim()
    span = high - low
    below = []
    for each in task.references:
        if low - span <= each.value <= high + span:
            (axes.axvline if upright else axes.axhline)(each.value, color="black", linestyle="--", linewidth=1, alpha=0.7)
            below.append(f"dashed: {each.name}, {number(each.value)}")  # beside the line it would hide what is measured
        else:
            side = "below" if each.value < low else "above"
            below.append(f"({each.name}, {number(each.value)}, is far {side})")
    if below:
        axes.set_xlabel("\n".join([axes.get_xlabel(), *below]))
