"""Make a report and all it is made of: ``python -m pipelines.repro generated``, which is `make repro`.

DVC runs one stage at a time, which keeps one processor busy for much of it. Here tasks are made side by side, by a DVC of its
own each, which share the project and its lock; the report comes last. Anything that is up to date is not made again.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pipelines.display.numbers import duration
from pipelines.results import read_results
from pipelines.settings.compose import exit_on_user_error, grids

AT_ONCE = "SEEDS_AT_ONCE"
"""The variable that ``conf/config.yaml`` takes ``workers`` from."""


def reports() -> dict[str, tuple[str, list[str]]]:
    """By report, the stage of ``dvc.yaml`` that makes it, and the grids that it compares."""
    stages: Any = OmegaConf.to_container(OmegaConf.load("dvc.yaml"), resolve=False)["stages"]  # type: ignore[index]
    made = [(name, stage) for name, stage in stages.items() if name.partition("_")[0] == "compare"]
    return {Path(stage["outs"][0]).name: (name, stage["cmd"].split()[3:]) for name, stage in made}


def targets(names: Sequence[str]) -> dict[str, list[str]]:
    """By task of the grids ``names``, the last stages that its runs need."""
    found: dict[str, list[str]] = {}
    for name, grid in zip(names, grids(names), strict=True):
        stage = "evaluate" if name == "generated" else f"evaluate_{name}"
        for task, *others in product(grid.task, grid.rnn, grid.trainer, grid.seeds):
            found.setdefault(task, []).append(f"{stage}@{'-'.join(map(str, [task, *others]))}")
    return found


def shares(tasks: int, processors: int) -> tuple[int, int]:
    """How many tasks are made at once, and how many seeds of each: on two processors, two tasks with one seed each."""
    at_once = min(tasks, max(processors // 3, 2), processors)
    return at_once, max(min(processors // at_once, 3), 1)


def repro(report: str) -> None:
    """Make the report ``reports/NAME``.

    Raises:
        ValueError: where there is no such report, or a task fails; the others are made all the same.
    """
    known = reports()
    if report not in known:
        raise ValueError(f"the report must be one of {sorted(known)}, not {report!r}")
    stage, names = known[report]
    if not _dvc("status", "--quiet", "--with-deps", stage):
        print(f"{report} is up to date")
        return
    wanted = longest_first(targets(names))
    tasks_at_once, seeds_at_once = shares(len(wanted), os.cpu_count() or 1)
    told = os.environ | {AT_ONCE: os.environ.get(AT_ONCE, str(seeds_at_once))}
    began, failed = time.monotonic(), []
    with ThreadPoolExecutor(tasks_at_once) as pool:
        jobs = {pool.submit(_dvc, "repro", *each, environment=told): task for task, each in wanted.items()}
        for made, job in enumerate(as_completed(jobs), 1):
            failed += [jobs[job]] if job.result() else []
            print(f"{made} of {len(wanted)} tasks after {duration(time.monotonic() - began)}", file=sys.stderr, flush=True)
    if failed:
        raise ValueError(f"{', '.join(failed)} failed, as said above; the same command goes on with what is not made yet")
    if _dvc("repro", stage, environment=told):
        raise ValueError(f"stage {stage} failed, as said above")


def longest_first(wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Tasks by the time that their stored trainings took, so that none of the long ones is left to the end alone."""
    seconds = {task: sum(run.seconds for run in read_results(Path("results") / f"{task}.json")) for task in wanted}
    return {task: wanted[task] for task in sorted(wanted, key=lambda task: -seconds[task])}


def _dvc(*words: str, environment: dict[str, str] | None = None) -> int:
    """The exit code of a command of DVC."""
    return subprocess.run([sys.executable, "-m", "dvc", "--wait-for-lock", *words], env=environment, check=False).returncode


if __name__ == "__main__":
    exit_on_user_error(lambda: repro(*(sys.argv[1:] or ["generated"])))
