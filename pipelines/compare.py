"""Compare: all runs, whatever finished of them, to one report and one run in the dashboard."""

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from pipelines.comparing import across, figures, report, summary
from pipelines.comparing.report import CrossTaskSummary, Section
from pipelines.comparing.summary import as_text
from pipelines.publish import publish_comparison
from pipelines.runs.folders import Expected, folder_of, read_points, read_runs
from pipelines.settings.compose import exit_on_user_error, grids
from pipelines.settings.tasks import Task, read_card, read_task

REPORTS = {"ahead": "generated", "characters": "text", "words": "text"}
"""Where grids are reported that have no report of their own name."""


def compare(
    runs: Path, out: Path, *, conf: Path, data: Path, tasks: Sequence[str] = (), expected: Sequence[Expected] = ()
) -> list[Section]:
    """Write comparison.{md,html,json} and figures to ``out`` from the folders in ``runs``, and print the tables.

    Args:
        tasks: which to compare; all that have runs if none is named. A variant of one of them is reported with it.
        expected: runs that were planned; those that are not finished are listed as missing.
    """
    names = list(tasks) or sorted({path.name for path in runs.glob("*") if path.is_dir()} | {each.task for each in expected})
    if not names:
        raise ValueError(f"{runs} has no runs to compare; `make repro` makes them")
    out.mkdir(parents=True, exist_ok=True)
    known = [read_task(conf, name, read_card(data, name)) for name in names]
    apart = [task for task in known if task.variant is None or task.variant.of not in names]
    beside = {task.name: [each for each in known if each.variant and each.variant.of == task.name] for task in apart}
    sections = [_section(runs, out, [task, *beside[task.name]], expected) for task in apart]
    together = [
        CrossTaskSummary(found, figures.cross_task_scores(found, out / f"together-{at}.png"))
        for at, found in enumerate(across.cross_task_scores([(each.task, each.rows) for each in sections]), 1)
    ]
    pages = [out / f"comparison.{kind}" for kind in ("md", "html", "json")]
    texts = [make(sections, together) for make in (report.markdown, report.web_page, report.as_json)]
    for page, text in zip(pages, texts, strict=True):
        page.write_text(text)
    for section in sections:
        print(report.terminal(section), end="\n\n")
    for each in together:
        print(as_text(across.table(each.cross_task_scores)), end="\n\n")
    print(f"{out / 'comparison.html'} has the figures. Next: `make dashboard` shows every run.")
    publish_comparison(out, sections, together, pages)
    return sections


def _section(runs: Path, out: Path, tasks: Sequence[Task], expected: Sequence[Expected]) -> Section:
    """What there is to say of a task, and of its variants beside it."""
    task, *_ = tasks
    read = [(each, *read_runs(runs, each.name, expected)) for each in tasks]
    missing = [lacking for *_, some in read for lacking in some]
    made = summary.in_order([row for each, finished, _ in read for row in summary.rows(finished, each)], task)
    if not made:
        return Section(task, made, missing, [])
    curves = [
        (row, [_curve(runs, task.validation_metric, row.task.name, row.rnn, run.seed) for run in row.runs]) for row in made
    ]
    drawn = [
        figures.quality(made, task, out / f"{task.name}-quality.png"),
        figures.learning_curves(curves, task, out / f"{task.name}-learning.png"),
        figures.quality_and_cost(made, task, out / f"{task.name}-cost.png"),
    ]
    return Section(task, made, missing, drawn)


def _curve(runs: Path, metric: str, task: str, rnn: str, seed: int) -> figures.Curve:
    return {step: value for key, step, value in read_points(folder_of(runs, task, rnn, seed)) if key == metric}


def main(names: Sequence[str]) -> None:
    """Compare the runs of the grids ``names`` in ``reports/``."""
    chosen = grids(names)
    expected = [
        Expected(task, rnn, seed)
        for grid in chosen
        for task, rnn, seeds in product(grid.task, grid.rnn, grid.seeds)
        for seed in range(1, seeds + 1)
    ]
    tasks = [task for grid in chosen for task in grid.task]
    out = Path("reports") / REPORTS.get(names[0], names[0])
    compare(Path("runs"), out, conf=Path("conf"), data=Path("data"), tasks=tasks, expected=expected)


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:] or ["generated"]))
