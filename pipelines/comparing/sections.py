"""What a comparison says of each task, and of several together: rows, differences, facts and warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.comparing import differences, elsewhere, summary, tuned
from pipelines.comparing.across import CrossTaskScore
from pipelines.comparing.differences import Difference
from pipelines.comparing.summary import Cells, Row
from pipelines.runs.computed import parts_of
from pipelines.runs.folders import Missing, Run
from pipelines.runs.measured import Measured
from pipelines.settings.tasks import Task

LIKE_FOR_LIKE = ("planned_steps", "data", "precision")
"""What must be the same for a difference between two architectures to be one of architecture."""


@dataclass(frozen=True)
class Section:
    """All that the comparison says of one task."""

    task: Task
    rows: Sequence[Row]
    missing: Sequence[Missing]
    figures: Sequence[Path]
    measured: Sequence[Measured] = ()

    @cached_property
    def differences(self) -> list[Difference]:
        """Of the best row to the others, once for all pages: their tests take half a second."""
        return differences.differences(self.rows, self.task)

    @property
    def runs(self) -> list[Run]:
        return [run for row in self.rows for run in row.runs]

    @property
    def table(self) -> Cells:
        return summary.table(self.rows, self.task)

    @property
    def on_other_data(self) -> Cells:
        return elsewhere.table(self.measured, self.rows, self.task)

    def facts(self) -> Cells:
        """What is compared with what."""
        runs = self.runs
        sizes = [run.parameters for run in runs]
        steps = sorted({f"{run.steps:,} of {run.planned_steps:,}" for run in runs})
        return [
            ["what", "value"],
            ["judged by", f"{self.task.metric.name}, to {self.task.metric.direction}"],
            ["parameters", f"{min(sizes):,} to {max(sizes):,} ({max(sizes) / min(sizes) - 1:.1%} apart)"],
            *tuned.facts(self.rows),
            ["steps", ", ".join(steps)],
            ["seeds", listed(run.seed for run in runs)],
            ["data", listed(run.data[:12] for run in runs)],
            *([["a part of a stream", listed(streamed)]] if (streamed := [*filter(None, map(_streamed, runs))]) else []),
            ["commit", listed(run.commit[:10] for run in runs)],
            ["hardware", listed(run.hardware for run in runs)],
            ["threads", listed(run.threads for run in runs)],
            ["precision", listed(run.precision for run in runs)],
            *_of_each("begun from", {row.label: _begun_from(row) for row in self.rows}),
            *_of_each("weights", {row.label: listed(_averages(row)) for row in self.rows}),
            *_of_each("computed in", {row.label: listed(_computed_in(row)) for row in self.rows}),
        ]

    def warnings(self) -> list[str]:
        """Where the runs are not like for like."""
        values = {name: {getattr(run, name) for run in self.runs} for name in LIKE_FOR_LIKE}
        unlike = [f"{len(different)} different values of {name}" for name, different in values.items() if len(different) > 1]
        if len({_begun_from(row) for row in self.rows}) > 1:
            begun = listed(f"{row.label} from {_begun_from(row) or 'drawn weights'}" for row in self.rows)
            unlike.append(f"begun with other weights: {begun}")
        if len({bool(run.averaging) for run in self.runs}) > 1:
            unlike.append(f"averaged weights of {listed(row.label for row in self.rows if _averages(row))} alone")
        unlike += _unlike_layers(self.rows)
        return [*(f"not like for like: {difference}" for difference in unlike), *tuned.warnings(self.rows)]

    def plain(self) -> dict[str, Any]:
        """The section as plain values."""
        return {
            "task": self.task.name,
            "metric": self.task.metric.name,
            "mode": self.task.metric.mode,
            "compared": dict(self.facts()[1:]) if self.rows else {},
            "warnings": self.warnings(),
            "references": [reference._asdict() for reference in self.task.references],
            "rows": [_plain_row(row) for row in self.rows],
            "differences": [each._asdict() | {"spread": each.spread._asdict()} for each in self.differences],
            "missing": [each._asdict() for each in self.missing],
            "on_other_data": [_plain_measured(each) for each in self.measured],
        }


@dataclass(frozen=True)
class CrossTaskSummary:
    """What several tasks say together of the architectures that they have in common."""

    cross_task_scores: Sequence[CrossTaskScore]
    figure: Path

    @property
    def title(self) -> str:
        """Which tasks these are, all with the same architectures."""
        return f"Over the tasks {', '.join(self.cross_task_scores[0].ranks)}"


def listed(values: Any) -> str:
    return ", ".join(str(value) for value in sorted(set(values)))


def _of_each(what: str, said: Mapping[str, str]) -> list[list[str]]:
    """One line where all rows say the same, else one for each that says something."""
    if len(set(said.values())) == 1:
        return [[what, value] for value in set(said.values()) if value]
    return [[f"{what}, {label}", value] for label, value in said.items() if value]


def _begun_from(row: Row) -> str:
    return row.runs[0].config.get("init_from") or ""


def _averages(row: Row) -> set[str]:
    return {run.averaging for run in row.runs} - {""}


def _computed_in(row: Row) -> set[str]:
    return {run.computed_in for run in row.runs} - {""}


def _unlike_layers(rows: Sequence[Row]) -> list[str]:
    """Where a part of the system was computed in one precision by some rows, and in another by others."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for run in row.runs:
            for part, said in _parts(run).items():
                labels = found.setdefault(part, {}).setdefault(said, [])
                labels += [row.label] if row.label not in labels else []
    return [
        f"{part} was computed in " + "; ".join(f"{said} ({', '.join(labels)})" for said, labels in some.items())
        for part, some in found.items()
        if len(some) > 1
    ]


def _parts(run: Run) -> dict[str, str]:
    """What the parts of a run's system computed in; where there is one precision alone, nothing needs to be measured."""
    parts = parts_of(run.layers)
    if not parts and "mixed" in run.precision:
        return {"network": "a precision that was not recorded"}
    return parts


def _streamed(run: Run) -> str | None:
    """The part of a stream that a run's corpus is, as its configuration says; ``None`` where it is all of its data set."""
    streaming = run.config.get("task", {}).get("corpus", {}).get("streaming")
    if not streaming:
        return None
    rows = ", ".join(f"{split} {rows:,}" for split, rows in streaming["rows"].items())
    return f"at most {rows} rows, shuffled in a buffer of {streaming.get('buffer', 1):,}"


def _plain_measured(each: Measured) -> dict[str, Any]:
    return {"corpus": each.on, "rnn": each.run.folder_name, "seed": each.run.seed, "metrics": each.metrics, "data": each.data}


def _plain_row(row: Row) -> dict[str, Any]:
    costs = ("parameters", "seconds", "units_per_second", "peak_memory_mb")
    return {
        "task": row.task.name,
        "rnn": row.rnn,
        "label": row.label,
        "seeds": [run.seed for run in row.runs],
        "metrics": {name: row.spread(name)._asdict() for name in row.metrics},
        **{name: row.mean(name) for name in costs},
    }
