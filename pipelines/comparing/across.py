"""Architectures over several tasks at once: the interquartile mean of their scores, and their ranks.

A score is a run's metric on a line from the worst architecture's mean on that task (0) to the best one's (1). Interquartile
means with intervals from a bootstrap that is stratified by task are what Agarwal et al. (2021, arXiv:2108.13264) recommend
for few runs.
"""

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from pipelines.comparing.summary import CONFIDENCE, Cells, Row
from pipelines.settings.tasks import Task

RESAMPLES, SEED, TRIMMED = 2000, 1, 0.25
CAPTION = (
    "The interquartile mean of all runs' scores, which go from 0, the worst architecture's mean on a task, to 1, the best "
    "one's, with a 95% interval (percentile bootstrap over seeds, stratified by task); and the rank of each mean."
)


class CrossTaskScore(NamedTuple):
    """An architecture over all tasks: interquartile mean, its interval, the rank on each task and their mean."""

    rnn: str
    label: str
    score: float
    low: float
    high: float
    ranks: dict[str, int]

    @property
    def rank(self) -> float:
        return fmean(self.ranks.values())


def cross_task_scores(compared: Sequence[tuple[Task, Sequence[Row]]]) -> list[CrossTaskScore]:
    """How the architectures stand that several tasks have in common, and no others; the best first.

    Of several sets of such tasks it is the largest. Of two architectures there is no score: it would be 0 and 1.

    Args:
        compared: tasks with their rows. Rows of variants and of ensembles are left aside; so is a task with two architectures
            or one, with two configurations of one, or without any difference.
    """
    eligible = [(task, {row.rnn: row for row in own}) for task, rows in compared if (own := _own(task, rows))]
    eligible.sort(key=lambda pair: sorted(pair[1]))
    groups = [list(group) for _, group in groupby(eligible, key=lambda pair: sorted(pair[1]))]
    largest = max(groups, key=len, default=[])
    return _scores_of_group(largest) if len(largest) > 1 else []


def _own(task: Task, rows: Sequence[Row]) -> list[Row]:
    own = [row for row in rows if row.task.variant is None and not row.runs[0].partners]
    names, means = {row.rnn for row in own}, {row.spread(task.metric.name).mean for row in own}
    return own if len(names) == len(own) > 2 and len(means) > 1 else []


def _scores_of_group(group: Sequence[tuple[Task, dict[str, Row]]]) -> list[CrossTaskScore]:
    ordered = {task.name: sorted(rows, key=lambda rnn: task.metric.sort_key(_mean(task, rows[rnn]))) for task, rows in group}
    made = []
    for rnn, row in group[0][1].items():
        samples = [_scores(task, rows, rnn) for task, rows in group]
        low, high = _interval(samples)
        ranks = {name: order.index(rnn) + 1 for name, order in ordered.items()}
        made.append(CrossTaskScore(rnn, row.label, interquartile_mean(*samples), low, high, ranks))
    return sorted(made, key=lambda score: (-score.score, score.rank))


def _mean(task: Task, row: Row) -> float:
    return row.spread(task.metric.name).mean


def _scores(task: Task, rows: dict[str, Row], rnn: str) -> list[float]:
    means = [_mean(task, row) for row in rows.values()]
    best, worst = sorted((min(means), max(means)), key=task.metric.sort_key)
    return [(run.metrics[task.metric.name] - worst) / (best - worst) for run in rows[rnn].runs]


def interquartile_mean(*samples: Any, axis: int = -1) -> Any:
    """The mean of the middle half of all ``samples`` together."""
    from scipy.stats import trim_mean

    return trim_mean(np.concatenate([np.asarray(sample) for sample in samples], axis), TRIMMED, axis=axis)


def _interval(samples: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Each task's runs are drawn anew from its own; a task of one run stays as it is."""
    from scipy.stats import bootstrap

    many, single = [one for one in samples if len(one) > 1], [one for one in samples if len(one) == 1]
    if not many:
        return float("nan"), float("nan")

    def statistic(*drawn: Any, axis: int = -1) -> Any:
        still = [np.broadcast_to(np.asarray(one), (*drawn[0].shape[:-1], 1)) for one in single]
        return interquartile_mean(*drawn, *still, axis=axis)

    resampled = bootstrap(
        many,
        statistic,
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=SEED,
        confidence_level=CONFIDENCE,
        method="percentile",
    )
    interval = resampled.confidence_interval
    return float(interval.low), float(interval.high)


def table(scores: Sequence[CrossTaskScore]) -> Cells:
    """The scores as rows of a table."""
    tasks = list(scores[0].ranks)
    body = [
        [score.label, f"{score.score:z.2f} ({score.low:z.2f} to {score.high:z.2f})", f"{score.rank:.2f}"]
        + [str(score.ranks[task]) for task in tasks]
        for score in scores
    ]
    return [["architecture", "score (95%)", "mean rank", *tasks], *body]
