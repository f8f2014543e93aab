"""A comparison as pages: one section a task, in Markdown and as JSON, and as text for a terminal."""

import json
from collections.abc import Sequence

from pipelines.comparing import across, differences, elsewhere, findings, summary
from pipelines.comparing.sections import CrossTaskSummary, Section
from pipelines.display.numbers import number

CAPTION = (
    "± is the half width of a 95% interval of the mean over seeds (Student's t), which brackets show where the metric itself "
    "ends within it; with one seed there is none. "
    "A difference that is small beside these intervals is not a finding."
)


def as_json(sections: Sequence[Section], together: Sequence[CrossTaskSummary]) -> str:
    cross_task_scores = [[each._asdict() for each in one.cross_task_scores] for one in together]
    return json.dumps({"tasks": [section.plain() for section in sections], "together": cross_task_scores}, indent=2) + "\n"


def markdown(sections: Sequence[Section], together: Sequence[CrossTaskSummary], *, with_figures: bool = True) -> str:
    """The comparison for a repository's page; its figures are the files beside it."""
    parts = ["# Comparison", findings.made(sections), *(f"- {findings.sentences(section)}" for section in sections)]
    for each in together:
        parts += [f"## {each.title}", summary.as_markdown(across.table(each.cross_task_scores)), across.CAPTION]
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
    if len(lacking := findings.not_run(sections)) > 1:
        parts += [f"## {findings.NOT_RUN}", summary.as_markdown(lacking)]
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
