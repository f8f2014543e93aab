"""Whether a run that was made again agrees with the stored one: bit for bit or, where the machine differs, within a tolerance.

Another processor, library or number of threads rounds sums in another order, and a training that is rounded otherwise ends
in other weights. How far apart two such trainings may end, the seeds of one configuration show.
"""

import math
from collections.abc import Mapping, Sequence

from pipelines.runs.configurations import identity
from pipelines.runs.folders import Run

SHARE = 0.01
"""The tolerance, as a share of the stored value, where the seeds lie less far apart."""
SHOWN = ("hardware", "threads", "precision")


def compare(run: Run, again: Run, stored: Sequence[Run], here: Mapping[str, str]) -> bool:
    """Print the metrics of both runs side by side, and what differs between the machines; returns whether they agree.

    Args:
        stored: the runs that are stored with ``run``, other seeds of its configuration among them.
        here: the versions of what computes here.
    """
    reasons = differences(run, again, here)
    width = max(map(len, run.metrics))
    agreed = True
    for name, value in run.metrics.items():
        other = again.metrics.get(name, math.nan)
        most = tolerance(run, stored, name) if reasons else 0.0
        within = other == value or abs(other - value) <= most
        agreed = agreed and within
        print(f"{name:{width}}  stored {value!r}  again {other!r}  {_said(other - value, most)}")
    equal = again.metrics == run.metrics
    agreed = agreed and again.metrics.keys() == run.metrics.keys()
    verdict = "matches bit for bit" if equal else "matches within the tolerance" if agreed else "does not match"
    print(f"{run.command}\nat {run.commit}: {verdict}")
    if not equal:
        _explain(reasons)
    return agreed


def _said(difference: float, most: float) -> str:
    if difference == 0:
        return "equal"
    if not most or math.isnan(difference):
        return f"differs by {difference:.3g}"
    return f"differs by {difference:.3g}, {'within' if abs(difference) <= most else 'more than'} {most:.3g}"


def _explain(reasons: Sequence[str]) -> None:
    for reason in reasons:
        print(reason)
    if reasons:
        most = f"{SHARE:.0%} of a value, or the span of its stored seeds where that is more"
        print(f"equal bits are promised on one machine alone; the tolerance is {most}")
    else:
        print("nothing that is recorded of the machine differs")


def differences(run: Run, again: Run, here: Mapping[str, str]) -> list[str]:
    """What differs between the machine of ``run`` and this one, or is not recorded of that one, a line each."""
    there = run.versions
    lines = [f"{name}: {getattr(again, name)} here, {getattr(run, name)} there" for name in SHOWN if _differs(name, run, again)]
    lines += [f"{name}: {here[name]} here, {there[name]} there" for name in here if there.get(name, here[name]) != here[name]]
    unknown = [name for name in here if name not in there]
    return lines + ([f"not recorded of the machine there: {', '.join(unknown)}"] if unknown else [])


def _differs(name: str, run: Run, again: Run) -> bool:
    return getattr(run, name) != getattr(again, name)


def tolerance(run: Run, stored: Sequence[Run], metric: str) -> float:
    """How far a metric may be from that of ``run`` on another machine."""
    own = identity(run.config)
    alike = [run, *(other for other in stored if other.data == run.data and identity(other.config) == own)]
    values = [other.metrics[metric] for other in alike if metric in other.metrics]
    return max(SHARE * abs(run.metrics[metric]), max(values) - min(values))
