"""What a comparison found, in sentences: which architecture is best at what, by how much, and how significantly."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pipelines.comparing.differences import Difference
from pipelines.comparing.sections import Section, listed
from pipelines.comparing.summary import NONE, Cells, digits_of
from pipelines.display.numbers import decimals

LEVEL = 0.05
"""The corrected p-value below which a difference counts as significant."""
NOT_RUN, NOT_PLANNED = "What was not run", "was not planned"


def made(sections: Sequence[Section]) -> str:
    """When the report was made, of which runs, with which code and hardware."""
    runs = [run for section in sections for run in section.runs]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    if not runs:
        return f"Made on {today} from no runs."
    commits, hardware = listed(run.commit[:10] for run in runs), listed(run.hardware for run in runs)
    return f"Made on {today} from {len(runs)} runs at commit {commits} on {hardware}."


def sentences(section: Section) -> str:
    """What is found on a task."""
    if not section.rows:
        return f"{section.task.title}: nothing was run."
    best, *others = section.rows
    metric = section.task.metric
    measured = best.spread(metric.name)
    score = f"{metric.name} {measured.shown(digits_of([measured]))}".removesuffix(f" ± {NONE}")
    if not others:
        return f"{section.task.title}: {best.label} alone was run, {score}."
    return f"{section.task.title}: {best.label} is best, {score}{_ahead(section)}. {_chance(section.differences)}"


def _ahead(section: Section) -> str:
    """By how much the best row is better than the next."""
    (best, second, *_), metric = section.rows, section.task.metric
    apart = best.spread(metric.name).mean - second.spread(metric.name).mean
    if not apart:
        return f", as {second.label}"
    digits = max(digits_of([best.spread(metric.name)]), decimals(apart))
    return f", {abs(apart):.{digits}f} {'less' if apart < 0 else 'more'} than {second.label}"


def _chance(differences: Sequence[Difference]) -> str:
    if not differences:
        return "With one seed there is no test of significance."
    beyond = [each for each in differences if each.p is not None and each.p < LEVEL]
    others = [each for each in differences if each not in beyond]
    said = [f"significantly better than {_named(beyond)}"] if beyond else []
    said += [f"not significantly better than {_named(others)}"] if others else []
    return f"It is {', '.join(said)}."


def _named(differences: Sequence[Difference]) -> str:
    names = [each.other if each.p is None else f"{each.other} (p {_p(each.p)})" for each in differences]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def not_run(sections: Sequence[Section]) -> Cells:
    """What the report does not have: planned runs that are not finished, and architectures of some tasks on the others."""
    labels = {row.rnn: row.runs[0].label for section in sections for row in section.rows}
    body = [[section.task.title, *row] for section in sections for row in _lacking(section, labels)]
    return [["task", "architecture", "seeds", "why"], *body]


def _lacking(section: Section, labels: dict[str, str]) -> Iterator[list[str]]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in section.missing:
        reasons.setdefault((each.rnn, each.reason), []).append(each.seed)
    for (rnn, reason), seeds in reasons.items():
        yield [labels.get(rnn, rnn), ", ".join(seeds), reason]
    there = {row.rnn for row in section.rows} | {each.rnn for each in section.missing}
    yield from ([label, "", NOT_PLANNED] for rnn, label in sorted(labels.items()) if rnn not in there)
