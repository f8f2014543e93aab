"""Make of finished runs a report, tables for DVC and one run in the dashboard.

``python -m pipelines.compare generated`` compares the runs of a grid of ``conf/grid.yaml``, ``python -m pipelines.compare
task=nested task=mine`` all runs of tasks by name.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.comparing import across, figures, findings, report, summary, web
from pipelines.comparing.dashboard import publish_comparison
from pipelines.comparing.sections import CrossTaskSummary, Section
from pipelines.comparing.summary import as_text
from pipelines.comparing.tables import TABLES, write_tables
from pipelines.runs.folders import Expected, Missing, Run, folder_of, read_points, read_runs, tell_missing
from pipelines.runs.measured import read_measured
from pipelines.runs.processes import made_alone, remove_leftovers
from pipelines.settings.compose import CONF, exit_on_user_error
from pipelines.settings.grids import planned_runs
from pipelines.settings.overrides import FOLDER, own_folder
from pipelines.settings.tasks import Task, read_card, task_of_runs
from rnn_lightning.files import write_text

RUNNING_LOSS = "train/running_loss"


def compare(
    runs: Path, out: Path, *, conf: Path, data: Path, tasks: Sequence[str] = (), expected: Sequence[Expected] = ()
) -> list[Section]:
    """Write comparison.{md,html,json} and figures to ``out`` from the folders in ``runs``, and print the tables.

    Args:
        tasks: which to compare; all that have runs if none is named. A variant of one of them is reported with it.
        expected: runs that were planned; those that are not finished are listed as missing.
    """
    names = list(tasks) or sorted({path.name for path in runs.glob("*") if path.is_dir()} | {one.task for one in expected})
    if not names:
        raise ValueError(f"{runs} has no runs to compare; `make repro` makes them")
    read = {name: read_runs(runs, name, expected) for name in names}
    if not expected and not any(finished for finished, _ in read.values()):
        tell_missing([lacking for _, missing in read.values() for lacking in missing], "compared")
        raise ValueError(f"{runs} has no finished run of {', '.join(names)}: train and evaluate some first")
    out.mkdir(parents=True, exist_ok=True)
    known = [task_of_runs(conf, name, [run.config for run in read[name][0]], read_card(data, name)) for name in names]
    apart = [task for task in known if task.variant is None or task.variant.of not in names]
    beside = {task.name: [other for other in known if other.variant and other.variant.of == task.name] for task in apart}
    sections = [_section(runs, out, [(one, *read[one.name]) for one in (task, *beside[task.name])]) for task in apart]
    scores = across.cross_task_scores([(section.task, section.rows) for section in sections])
    together = [CrossTaskSummary(scores, figures.cross_task_scores(scores, out / "together.png"))] if scores else []
    pages = [out / f"comparison.{kind}" for kind in ("md", "html", "json")]
    texts = [make(sections, together) for make in (report.markdown, web.web_page, report.as_json)]
    for page, text in zip(pages, texts, strict=True):
        write_text(page, text)
    _print(sections, together)
    publish_comparison(out, sections, together, pages)
    return sections


def _print(sections: Sequence[Section], together: Sequence[CrossTaskSummary]) -> None:
    for section in sections:
        print(report.terminal(section), end="\n\n")
    for summed in together:
        print(f"{summed.title}\n\n{as_text(across.table(summed.cross_task_scores))}", end="\n\n")
    for section in sections:
        print(findings.sentences(section))


def _section(runs: Path, out: Path, read: Sequence[tuple[Task, list[Run], list[Missing]]]) -> Section:
    """What there is to say of a task, the first of ``read``, and of its variants beside it."""
    (task, *_), *_ = read
    missing = [lacking for *_, some in read for lacking in some]
    made = summary.in_order([row for one, finished, _ in read for row in summary.rows(finished, one)], task)
    if not made:
        return Section(task, made, missing, [])
    losses, curves = (
        [(row, [_curve(runs, metric, row, run) for run in row.runs]) for row in made]
        for metric in (RUNNING_LOSS, task.metric.monitor)
    )
    drawn = [
        figures.quality(made, task, out / f"{task.name}-quality.png"),
        figures.learning_curves(losses, curves, task, out / f"{task.name}-learning.png"),
        figures.quality_and_cost(made, task, out / f"{task.name}-cost.png"),
    ]
    measured = [each for one, finished, _ in read for each in read_measured(runs, one.name, finished)]
    return Section(task, made, missing, [file for file in drawn if file.exists()], measured)


def _curve(runs: Path, metric: str, row: summary.Row, run: Run) -> figures.Curve:
    """A metric by step; of a run that has no running loss, the loss from validation to validation."""
    points = read_points(folder_of(runs, row.task.name, run.folder_name, run.seed))
    found = {step: value for key, step, value in points if key == metric}
    return found or {step: value for key, step, value in points if metric == RUNNING_LOSS and key == "train/loss"}


def main(arguments: Sequence[str]) -> None:
    """Compare the runs of a grid, or of tasks, in ``reports/NAME``.

    Raises:
        ValueError: for a grid that is not there, or anything but one grid or tasks.
    """
    for word in (folders := [argument for argument in arguments if argument.startswith(FOLDER)]):
        own_folder(word)
    arguments = [argument for argument in arguments if argument not in folders]  # of which runs know their tasks
    tasks = [argument.removeprefix("task=") for argument in arguments if argument.startswith("task=")]
    if (not tasks and len(arguments) != 1) or (tasks and len(tasks) != len(arguments)):
        raise ValueError(f"give the name of one grid, or task=NAME once or more, not {' '.join(arguments) or 'nothing'}")
    planned = [] if tasks else planned_runs(CONF, arguments)
    expected = [Expected(run.task, run.rnn, seed) for run in planned for seed in range(1, run.seeds + 1)]
    name = tasks[0] if tasks else arguments[0]
    names = list(dict.fromkeys(tasks or [run.task for run in planned]))
    runs, reports = Path("runs"), Path("reports")
    with made_alone(reports / name, f"the comparison {name}"):
        for table in TABLES:
            remove_leftovers(reports / table / name)
        sections = compare(runs, reports / name, conf=CONF, data=Path("data"), tasks=names, expected=expected)
        write_tables(sections, runs, reports, name)
    print(f"{reports / name / 'comparison.html'} has the figures. Next: `make dashboard` shows every run.")


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
