"""A comparison as pages: one section a task, in Markdown, as a web page that needs nothing else, and as JSON."""

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.comparing import across, differences, elsewhere, summary, tuned
from pipelines.comparing.across import CrossTaskScore
from pipelines.comparing.differences import Difference
from pipelines.comparing.summary import Cells, Row
from pipelines.display.numbers import number
from pipelines.runs.folders import Missing, Run
from pipelines.runs.measured import Measured
from pipelines.settings.tasks import Task

LIKE_FOR_LIKE = ("planned_steps", "data", "precision")
"""What must be the same for a difference between two architectures to be one of architecture."""

CAPTION = (
    "± is the half width of a 95% interval of the mean over seeds (Student's t); with one seed there is none. "
    "A difference that is small beside these intervals is not a finding."
)
STYLE = (Path(__file__).parent / "report.css").read_text()


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
            ["seeds", _listed(run.seed for run in runs)],
            ["data", _listed(run.data[:12] for run in runs)],
            *([["a part of a stream", _listed(streamed)]] if (streamed := [*filter(None, map(_streamed, runs))]) else []),
            ["commit", _listed(run.commit[:10] for run in runs)],
            ["hardware", _listed(run.hardware for run in runs)],
            ["threads", _listed(run.threads for run in runs)],
            ["precision", _listed(run.precision for run in runs)],
        ]

    def warnings(self) -> list[str]:
        """Where the runs are not like for like."""
        values = {name: {getattr(run, name) for run in self.runs} for name in LIKE_FOR_LIKE}
        unlike = [f"{len(different)} different values of {name}" for name, different in values.items() if len(different) > 1]
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


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in sorted(set(values)))


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


def as_json(sections: Sequence[Section], together: Sequence[CrossTaskSummary]) -> str:
    cross_task_scores = [[each._asdict() for each in one.cross_task_scores] for one in together]
    return json.dumps({"tasks": [section.plain() for section in sections], "together": cross_task_scores}, indent=2) + "\n"


def markdown(sections: Sequence[Section], together: Sequence[CrossTaskSummary], *, with_figures: bool = True) -> str:
    """The comparison for a repository's page; its figures are the files beside it."""
    parts = ["# Comparison"]
    for each in together:
        parts += ["## Over all tasks", summary.as_markdown(across.table(each.cross_task_scores)), across.CAPTION]
        parts += [f"![{each.figure.stem}]({each.figure.name})" if with_figures else ""]
    for section in sections:
        parts += [f"## {section.task.title}", section.task.description]
        parts += [f"**{warning}**" for warning in section.warnings()]
        parts += [f"{_missing_line(section)}" if section.missing else ""]
        if section.rows:
            parts += [summary.as_markdown(section.table), CAPTION]
            if section.differences:
                parts += [summary.as_markdown(differences.table(section.differences, section.task)), differences.CAPTION]
            if section.measured:
                parts += [f"### {elsewhere.TITLE}", summary.as_markdown(section.on_other_data), elsewhere.CAPTION]
            parts += [f"![{file.stem}]({file.name})" for file in section.figures if with_figures]
            parts += ["### What is compared", summary.as_markdown(section.facts())]
        if section.task.references:
            parts += ["### What to hold it against", summary.as_markdown(summary.references_table(section.task))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _missing_line(section: Section) -> str:
    listed = "; ".join(f"{each.rnn} seed {each.seed} {each.reason}" for each in section.missing)
    return f"**Missing ({len(section.missing)}):** {listed}."


def terminal(section: Section) -> str:
    """The table in plain text, under what must be said with it."""
    lines = [section.task.title, *section.warnings()]
    if section.missing:
        lines.append(_missing_line(section).replace("**", ""))
    if section.rows:
        lines += ["", summary.as_text(section.table)]
        if section.differences:
            lines += ["", summary.as_text(differences.table(section.differences, section.task))]
        if section.measured:
            lines += ["", elsewhere.TITLE, summary.as_text(section.on_other_data)]
    lines += [f"{each.name}: {number(each.value)}" for each in section.task.references]
    return "\n".join(lines)


def web_page(sections: Sequence[Section], together: Sequence[CrossTaskSummary]) -> str:
    """One file with its figures and its style inside."""
    contents = " · ".join(f'<a href="#{each.task.name}">{html.escape(each.task.title)}</a>' for each in sections)
    body = "\n".join([*map(_web_together, together), *map(_web_section, sections)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Comparison</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>Comparison</h1><nav>{contents}</nav>\n{body}</main></body></html>\n"
    )


def _web_together(each: CrossTaskSummary) -> str:
    shown, caption = _web_table(across.table(each.cross_task_scores)), f"<p><small>{html.escape(across.CAPTION)}</small></p>"
    return f'<section><h2>Over all tasks</h2>{shown}{caption}<div class="figures">{_web_image(each.figure)}</div></section>'


def _web_section(section: Section) -> str:
    task = section.task
    parts = [f'<section id="{task.name}"><h2>{html.escape(task.title)}</h2><p>{html.escape(task.description)}</p>']
    parts += [f'<p class="warning">{html.escape(warning)}</p>' for warning in section.warnings()]
    if section.missing:
        listed = "".join(f"<li>{html.escape(f'{each.rnn} seed {each.seed}: {each.reason}')}</li>" for each in section.missing)
        parts.append(f'<div class="warning"><strong>Missing</strong><ul>{listed}</ul></div>')
    if section.rows:
        parts += [_web_table(section.table), f"<p><small>{CAPTION}</small></p>"]
        if section.differences:
            parts += [_web_table(differences.table(section.differences, task))]
            parts += [f"<p><small>{html.escape(differences.CAPTION)}</small></p>"]
        if section.measured:
            parts += [f"<h3>{elsewhere.TITLE}</h3>", _web_table(section.on_other_data)]
            parts += [f"<p><small>{html.escape(elsewhere.CAPTION)}</small></p>"]
        parts.append('<div class="figures">')
        parts += [_web_image(file) for file in section.figures]
        parts += ["</div><h3>What is compared</h3>", _web_table(section.facts())]
    if task.references:
        parts += ["<h3>What to hold it against</h3>", _web_table(summary.references_table(task))]
    return "\n".join([*parts, "</section>"])


def _web_table(cells: Cells) -> str:
    heading, *body = cells
    kinds = [' class="number"' if right else "" for right in summary.numeric(cells)]
    top = _web_row("th", heading, kinds)
    lines = "\n".join(_web_row("td", row, kinds) for row in body)
    return f'<div class="wide"><table><thead>{top}</thead><tbody>\n{lines}\n</tbody></table></div>'


def _web_row(tag: str, row: Sequence[str], kinds: Sequence[str]) -> str:
    pairs = zip(row, kinds, strict=True)
    return "<tr>" + "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for cell, kind in pairs) + "</tr>"


def _web_image(file: Path) -> str:
    if not file.exists():  # it could not be drawn
        return ""
    encoded = base64.b64encode(file.read_bytes()).decode()
    return f'<img alt="{html.escape(file.stem)}" src="data:image/png;base64,{encoded}">'
