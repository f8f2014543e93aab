"""Whether one row is better than another: the difference over the seeds that both have, and how likely chance alone makes it.

Equal seeds give equal orders of the data, so that two runs of one seed make a pair.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipelines.summary import NONE, Cells, Row, Spread, decimals, number, spread
from pipelines.tasks import Task

CAPTION = (
    "The best row less each other, over the seeds that both have: mean and 95% interval of the paired differences, and the "
    "p-value of a paired t-test, corrected for their number by Holm's method."
)


class Difference(NamedTuple):
    """The best row's metric less that of another, over their ``seeds``; ``p`` is ``None`` where all differences are equal."""

    best: str
    other: str
    spread: Spread
    p: float | None
    seeds: int


def differences(rows: Sequence[Row], task: Task) -> list[Difference]:
    """The first of ``rows``, which are sorted, against each other that has two seeds or more in common with it."""
    from statsmodels.stats.multitest import multipletests  # takes a second, which stages that show one run need not wait

    made = [_difference(rows[0], other, task.metric) for other in rows[1:]]
    found = [each for each in made if each.seeds >= 2]
    tested = [each.p for each in found if each.p is not None]
    corrected: Any = multipletests(tested, method="holm")[1] if tested else []
    left = iter(corrected)
    return [each if each.p is None else each._replace(p=float(next(left))) for each in found]


def _difference(best: Row, other: Row, metric: str) -> Difference:
    from scipy.stats import ttest_rel

    ours, theirs = ({run.seed: run.metrics[metric] for run in row.runs} for row in (best, other))
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        return Difference(best.label, other.label, Spread(math.nan, None), None, len(seeds))
    pairs = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
    apart = [one - two for one, two in zip(*pairs, strict=True)]
    p = None if min(apart) == max(apart) else float(ttest_rel(*pairs).pvalue)
    return Difference(best.label, other.label, spread(apart), p, len(seeds))


def table(found: Sequence[Difference], task: Task) -> Cells:
    """The differences as rows of a table."""
    body = []
    for each in found:
        digits = max(decimals(each.spread.half or each.spread.mean), 0)
        p = NONE if each.p is None else "< 0.001" if each.p < 0.001 else number(each.p)
        body.append([f"{each.best} - {each.other}", each.spread.shown(digits), p, str(each.seeds)])
    return [["difference", f"{task.metric} (95%)", "p (Holm)", "seeds"], *body]
