"""Results: finished runs into ``results/TASK.json``, which is kept, and from there into the tables of README.md and docs/.

A run of other settings than those of the files, as its folder's name tells, or of code that no commit has, is a trial. It is
stored where it is named: ``python -m pipelines.results nested/lstm-1a2b3c4d``.
"""

import argparse
import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.documenting.pages import PICTURES, Documentation
from pipelines.documenting.tables import StoredResults
from pipelines.runs.configurations import identity
from pipelines.runs.folders import Missing, Run, folder_of, read_curves, read_runs, tell_missing
from pipelines.runs.processes import lock_folder, remove_leftovers
from pipelines.settings.base import validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.schema import Metric
from pipelines.settings.seals import KEY, OPEN, read_sealed, write_sealed
from pipelines.settings.tasks import read_task
from rnn_lightning.files import write_text

AGAIN = "take it from git again, and then store its new runs by `python -m pipelines.results`"


def store(runs: Path, results: Path, task: str, named: Collection[str] = ()) -> list[Run]:
    """Merge the finished runs of ``task``, with their learning curves, into its file; trials where their folder is ``named``.

    A run is replaced by one whose configuration differs in titles and descriptions at most.

    Raises:
        ValueError: where a folder that is named has no finished run.
    """
    file = results / f"{task}.json"
    read, missing = read_runs(runs, task)
    stored = {_key(run): run for run in read_results(file)}
    merged = dict(stored)
    if absent := sorted({*named} - (there := {run.folder_name for run in read})):
        why = next((f": {one.seed} {one.reason}" for one in missing if one.rnn == absent[0]), "")
        raise ValueError(f"{runs / task / absent[0]} has no finished run{why}; name one of {sorted(there)}")
    for run in read:
        if run.folder_name not in named and (why := why_trial(task, run, stored)):
            missing.append(Missing(task, run.folder_name, str(run.seed), why))
        else:
            merged[_key(run)] = with_curves(run, folder_of(runs, task, run.folder_name, run.seed))
    tell_missing(missing, "stored")
    kept = [merged[key] for key in sorted(merged)]
    if kept:
        write_sealed(file, as_text(kept))
    return kept


def why_trial(task: str, run: Run, stored: Mapping[tuple[str, int, str], Run]) -> str | None:
    """Why a run is a trial: its code is that of no commit, or its settings are those of no file, and neither is of the run in
    its place among the ``stored``; ``None``: it is none."""
    known = stored.get(_key(run))
    if run.commit.endswith("-dirty") and (known is None or known.commit != run.commit):
        why = "its code is not that of its commit"
    elif run.name and known is None:
        why = "its settings are not those of the files"
    else:
        return None
    return f"{why}; `python -m pipelines.results {task}/{run.folder_name}` stores it"


def with_curves(run: Run, folder: Path) -> Run:
    """The run with the curves of its training loss and of the metric that its best step was chosen by."""
    metric = run.config.get("task", {}).get("metric")
    monitor = [validate(Metric, metric).monitor] if metric else []
    return replace(run, curves=read_curves(folder, ["train/loss", *monitor]))


def as_text(runs: Sequence[Run]) -> str:
    """A results file, to be sealed: JSON with a line a value, but a curve on one line."""
    plain = [run.plain() for run in runs]
    curves: dict[str, str] = {}
    for values in plain:
        for metric, curve in values.get("curves", {}).items():
            mark = f"curve {len(curves)}"
            curves[json.dumps(mark)] = json.dumps(curve)
            values["curves"][metric] = mark
    text = json.dumps({KEY: OPEN, "runs": plain}, indent=1) + "\n"
    return re.sub(r'"curve \d+"', lambda mark: curves[mark[0]], text)


def read_results(file: Path) -> list[Run]:
    """The runs of a results file; none if it does not exist.

    Raises:
        ValueError: if the file is damaged, or a run is not complete.
    """
    if not file.exists():
        return []
    content = read_sealed(file, ["runs"], again=AGAIN)
    try:
        return [Run.of(values) for values in content["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: {error}") from None


def _key(run: Run) -> tuple[str, int, str]:
    return run.rnn, run.seed, json.dumps(identity(run.config), sort_keys=True)


def documentation(root: Path) -> Documentation:
    """The pages of the project in ``root`` and the results that they show."""
    names = sorted(file.stem for file in (root / "results").glob("*.json"))
    return Documentation(
        root, StoredResults(root / "conf", names, lambda task: read_results(root / "results" / f"{task}.json"))
    )


def stale(root: Path) -> list[str]:
    """The pages and pictures of the project that do not show what is stored, by their paths in it."""
    made = documentation(root)
    return sorted(file.relative_to(root).as_posix() for file in {*made.stale_pages(), *made.stale_pictures()})


def results(tasks: Sequence[str], *, root: Path) -> None:
    """Store new runs, then write the tables, pictures and maps of README.md and docs/, if there are, anew where they changed.

    Args:
        tasks: whose runs to store, TASK or, trials too, TASK/RNN; all that have runs if none is named.
        root: the project, with runs/, results/, conf/, docs/ and README.md in it.

    Raises:
        ValueError: for an unknown task, or a named one that has nothing to store.
    """
    with lock_folder(root / "work/locks/results", "the results", waits=True):
        for written in (root / "results", root / "docs", root / PICTURES, root / "README.md"):
            remove_leftovers(written)
        for task, named in chosen(tasks or sorted(path.name for path in (root / "runs").glob("*") if path.is_dir())).items():
            if not tasks and not (root / "conf" / "task" / f"{task}.yaml").exists():
                print(f"runs/{task} is of no task of conf/task, and is not stored", file=sys.stderr)
                continue
            read_task(root / "conf", task)
            kept = store(root / "runs", root / "results", task, named)
            if tasks and not kept:
                raise ValueError(f"{root / 'runs' / task} has no finished run to store, and there is no results/{task}.json")
            if kept:
                print(f"results/{task}.json: {len(kept)} runs")
        if not (root / "README.md").exists():
            print("there is no README.md here whose tables would show them", file=sys.stderr)
            return
        made = documentation(root)
        for page, text in made.stale_pages().items():
            write_text(page, text)
        for file, shown in made.stale_pictures().items():
            made.draw(file, shown)


def chosen(names: Sequence[str]) -> dict[str, set[str]]:
    """By task, the folders of runs that the ``names`` name, TASK or TASK/RNN."""
    folders: dict[str, set[str]] = {}
    for name in names:
        task, _, folder = name.strip("/").partition("/")
        folders.setdefault(task, set()).update([folder] if folder else [])
    return folders


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.results", description=__doc__)
    parser.add_argument("task", nargs="*", help="whose runs to store (default: all); TASK/RNN stores trials too")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a page or picture is not up to date")
    options = parser.parse_args()
    if not options.check:
        exit_on_user_error(lambda: results(options.task, root=Path()))
        return 0
    files: list[str] = []
    exit_on_user_error(lambda: files.extend(stale(Path())))
    for file in files:
        print(f"error: {file} does not show what is stored; `python -m pipelines.results` writes it anew", file=sys.stderr)
    return 1 if files else 0


if __name__ == "__main__":
    sys.exit(main())
