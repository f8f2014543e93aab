"""Results: finished runs into ``results/TASK.json``, which is kept, and from there into the README's tables."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.comparing import summary
from pipelines.runs.configurations import identity
from pipelines.runs.folders import Run, folder_of, read_curves, read_runs
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.schema import Metric, validate
from pipelines.settings.tasks import read_task, variants_of
from rnn_lightning.files import read_json, write_text

TABLE = re.compile(r"(<!-- results:(?P<task>[\w-]+) -->\n).*?(<!-- /results -->)", re.DOTALL)


def store(runs: Path, results: Path, task: str) -> list[Run]:
    """Merge the finished runs of ``task``, with their learning curves, into its file.

    A run is replaced by one whose configuration differs in titles and descriptions at most.
    """
    file = results / f"{task}.json"
    finished = [with_curves(run, folder_of(runs, task, run.rnn, run.seed)) for run in read_runs(runs, task)[0]]
    merged = {_key(run): run for run in [*read_results(file), *finished]}
    kept = [merged[key] for key in sorted(merged)]
    if kept:
        write_text(file, as_text(kept))
    return kept


def with_curves(run: Run, folder: Path) -> Run:
    """The run with the curves of its training loss and of the metric that its best step was chosen by."""
    metric = run.config.get("task", {}).get("metric")
    monitor = [validate(Metric, metric).monitor] if metric else []
    return replace(run, curves=read_curves(folder, ["train/loss", *monitor]))


def as_text(runs: Sequence[Run]) -> str:
    """A results file: JSON with a line a value, but a curve on one line."""
    plain = [run.plain() for run in runs]
    curves: dict[str, str] = {}
    for values in plain:
        for metric, curve in values.get("curves", {}).items():
            mark = f"curve {len(curves)}"
            curves[json.dumps(mark)] = json.dumps(curve)
            values["curves"][metric] = mark
    text = json.dumps({"runs": plain}, indent=1) + "\n"
    return re.sub(r'"curve \d+"', lambda mark: curves[mark[0]], text)


def read_results(file: Path) -> list[Run]:
    """The runs of a results file; none if it does not exist.

    Raises:
        ValueError: if one is not complete.
    """
    if not file.exists():
        return []
    try:
        return [Run.of(values) for values in read_json(file)["runs"]]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{file}: {error}") from None


def _key(run: Run) -> tuple[str, int, str]:
    return run.rnn, run.seed, json.dumps(identity(run.config), sort_keys=True)


def with_tables(readme: str, results: Path, conf: Path) -> str:
    """The README's text with every table between ``<!-- results:TASK -->`` and ``<!-- /results -->`` made from its file.

    What is stored of the task's variants is in its table too.

    Raises:
        ValueError: if it names a task without results.
    """

    def filled(match: re.Match[str]) -> str:
        task = read_task(conf, match["task"])
        if not (results / f"{task.name}.json").exists():
            raise ValueError(f"the README shows results of {task.name}, but {results / task.name}.json does not exist")
        tasks = [task, *(read_task(conf, name) for name in variants_of(conf, task.name))]
        made = [row for each in tasks for row in summary.rows(read_results(results / f"{each.name}.json"), each)]
        table = summary.as_markdown(summary.table(summary.in_order(made, task), task))
        return f"{match[1]}{table}\n{match[3]}"

    return TABLE.sub(filled, readme)


def results(tasks: Sequence[str], *, root: Path, check: bool = False) -> bool:
    """Store new runs and rewrite the README, or only ``check`` it; returns whether README and files agreed before.

    Args:
        tasks: whose runs to store; all that have runs if none is named.
        root: the project, with runs/, results/, conf/ and README.md in it.

    Raises:
        ValueError: for an unknown task, or a named one that has nothing to store.
        FileNotFoundError: where ``root`` is no project.
    """
    if not check:
        for task in tasks or sorted(path.name for path in (root / "runs").glob("*") if path.is_dir()):
            if tasks:
                read_task(root / "conf", task)
            kept = store(root / "runs", root / "results", task)
            if tasks and not kept:
                raise ValueError(f"{root / 'runs' / task} has no finished run, and there is no results/{task}.json")
            print(f"results/{task}.json: {len(kept)} runs")
    readme = root / "README.md"
    shown = readme.read_text()
    right = with_tables(shown, root / "results", root / "conf")
    if not check and right != shown:
        write_text(readme, right)
    return right == shown


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m pipelines.results", description=__doc__)
    arguments.add_argument("task", nargs="*", help="whose runs to store (default: all)")
    arguments.add_argument("--check", action="store_true", help="change nothing; fail if the README and the files disagree")
    told = arguments.parse_args()
    agreed: list[bool] = []
    exit_on_user_error(lambda: agreed.append(results(told.task, root=Path(), check=told.check)))
    if told.check and not agreed[0]:
        print(
            "error: README.md and results/ disagree; `python -m pipelines.results` makes its tables again",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
