"""Whether one row is better than another: the difference over the seeds that both have, and how likely chance alone makes it.

Equal seeds give equal orders of the data, so that two runs of one seed make a pair.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.comparing.summary import NONE, Cells, Row, Spread, spread
from pipelines.display.numbers import decimals, number
from pipelines.settings.tasks import Task

CAPTION = (
    "The best row less each other, over the seeds that both have: mean and 95% interval of the paired differences, the "
    "p-value of a paired t-test, corrected for their number by Holm's method, and the size of the effect: how often a run of "
    "the best is better than one of the other, all pairs of runs counted, and Romano's word for it."
)
EFFECT_NAMES = {0.147: "negligible", 0.33: "small", 0.474: "medium", 1.0: "large"}
"""Up to which Cliff's delta an effect is called so (Romano et al. 2006)."""


class Difference(NamedTuple):
    """The best row's metric less that of another, over their ``seeds``; ``p`` is ``None`` where all differences are equal.

    ``wins`` is the share of all pairs of runs, one of each row, in which that of the best is better, ties counted half.
    """

    best: str
    other: str
    spread: Spread
    p: float | None
    seeds: int
    wins: float

    @property
    def effect(self) -> str:
        """A word for Cliff's delta, which is ``2 wins - 1``."""
        delta = abs(2 * self.wins - 1)
        return next(word for limit, word in EFFECT_NAMES.items() if delta < limit or limit == 1)


def differences(rows: Sequence[Row], task: Task) -> list[Difference]:
    """The first of ``rows``, which are sorted, against each other that has two seeds or more in common with it."""
    made = [_difference(rows[0], other, task) for other in rows[1:]]
    paired = [difference for difference in made if difference.seeds >= 2]
    tested = [difference.p for difference in paired if difference.p is not None]
    left = iter(holm(tested))
    return [one if one.p is None else one._replace(p=next(left)) for one in paired]


def holm(chances: Sequence[float]) -> list[float]:
    """The p-values ``chances`` of several tests, each corrected to the smallest level at which Holm's step-down procedure
    rejects it (Holm 1979, Scandinavian Journal of Statistics 6, 65 to 70)."""
    corrected, most = [1.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        most = max(most, min(1.0, (len(chances) - rank) * chances[place]))
        corrected[place] = most
    return corrected


def _difference(best: Row, other: Row, task: Task) -> Difference:
    from scipy.stats import mannwhitneyu, ttest_rel

    ours, theirs = ({run.seed: run.metrics[task.metric.name] for run in row.runs} for row in (best, other))
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        return Difference(best.label, other.label, Spread(math.nan, None), None, len(seeds), math.nan)
    pairs = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
    apart = [one - two for one, two in zip(*pairs, strict=True)]
    p = None if min(apart) == max(apart) else float(ttest_rel(*pairs).pvalue)
    higher = float(mannwhitneyu(*pairs).statistic) / len(seeds) ** 2
    wins = 1 - higher if task.metric.mode == "min" else higher
    return Difference(best.label, other.label, spread(apart), p, len(seeds), wins)


def table(made: Sequence[Difference], task: Task) -> Cells:
    """The differences as rows of a table."""
    body = []
    for one in made:
        digits = max(decimals(one.spread.half or one.spread.mean), 0)
        p = NONE if one.p is None else "< 0.001" if one.p < 0.001 else number(one.p)
        effect = f"{one.effect} ({one.wins:.0%} of pairs)"
        body.append([f"{one.best} - {one.other}", one.spread.shown(digits), p, str(one.seeds), effect])
    return [["difference", f"{task.metric.name} (95%)", "p (Holm)", "seeds", "effect"], *body]
