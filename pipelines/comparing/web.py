"""A comparison as one web page that needs nothing else: its figures and its style are inside."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from pipelines.comparing import across, differences, elsewhere, findings, summary
from pipelines.comparing.report import CAPTION
from pipelines.comparing.sections import CrossTaskSummary, Section
from pipelines.comparing.summary import Cells

STYLE = (Path(__file__).parent / "report.css").read_text()


def web_page(sections: Sequence[Section], together: Sequence[CrossTaskSummary]) -> str:
    """One file with its figures and its style inside."""
    contents = " · ".join(f'<a href="#{each.task.name}">{html.escape(each.task.title)}</a>' for each in sections)
    body = "\n".join(
        [_web_findings(sections), *map(_web_together, together), *map(_web_section, sections), _web_rest(sections)]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Comparison</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>Comparison</h1><nav>{contents}</nav>\n{body}</main></body></html>\n"
    )


def _web_findings(sections: Sequence[Section]) -> str:
    found = "".join(f"<li>{html.escape(findings.sentences(section))}</li>" for section in sections)
    return f"<p><small>{html.escape(findings.made(sections))}</small></p><ul>{found}</ul>"


def _web_rest(sections: Sequence[Section]) -> str:
    """What was not run, if there is any."""
    cells = findings.not_run(sections)
    return f"<section><h2>{findings.NOT_RUN}</h2>{_web_table(cells)}</section>" if len(cells) > 1 else ""


def _web_together(each: CrossTaskSummary) -> str:
    title, caption = html.escape(each.title), html.escape(across.CAPTION)
    shown = f"<h2>{title}</h2>{_web_table(across.table(each.cross_task_scores))}<p><small>{caption}</small></p>"
    return f'<section>{shown}<div class="figures">{_web_image(each.figure)}</div></section>'


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
