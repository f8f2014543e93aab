"""Make a report and all it is made of: ``python -m pipelines.repro generated``, which is `make repro`.

DVC runs one stage at a time, which keeps one processor busy for much of it. Here tasks are made side by side, by a DVC of its
own each, which share the project and its lock; the report comes last. Anything that is up to date is not made again. Each DVC
ends with this process, and each stage with its DVC. Short stages leave it to this process to tell the dashboard what they did:
each would take longer to import MLflow than to speak to it.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.display.progress import Progress
from pipelines.grid import grid
from pipelines.results import read_results
from pipelines.runs.beginning import STARTER
from pipelines.runs.folders import read_runs
from pipelines.settings.compose import CONF, exit_on_user_error
from pipelines.settings.grids import MAIN, MAIN_FILE, PlannedRun, file_of, planned_runs
from pipelines.settings.tasks import read_card, task_of_runs
from pipelines.tracking.courier import BETWEEN, LEFT, ONCE_ANSWERED, deliver_waiting, flush, held_back
from pipelines.tracking.spool import waiting_files

AT_ONCE = "SEEDS_AT_ONCE"
"""The variable that ``conf/config.yaml`` takes ``workers`` from."""
STAGE = re.compile(r"(Running stage|Stage) '([^']+)'")
"""How DVC says at which stage it is: it runs it, or skips one that has not changed."""
_running: list[subprocess.Popen[str]] = []
_ending = threading.Event()


def stage_of(report: str, name: str) -> str:
    """What DVC calls a stage of the report's file."""
    file = file_of(report)
    return name if file == MAIN_FILE else f"{file}:{name}"


def comparison_of(report: str) -> str:
    """The stage that makes the report."""
    return stage_of(report, "compare" if report == MAIN else f"compare@{report}")


def targets(runs: Sequence[PlannedRun]) -> dict[str, list[str]]:
    """By task, all its stages, each behind those that it depends on."""
    stages: dict[str, list[str]] = {}
    for run in runs:
        corpus = [f"fetch@{run.task}", f"preprocess@{run.task}"] if run.task not in stages else []
        names = [*corpus, f"train@{run.key}", f"evaluate@{run.key}"]
        stages.setdefault(run.task, []).extend(stage_of(run.report, name) for name in names)
    return stages


def shares(tasks: int, processors: int) -> tuple[int, int]:
    """How many tasks are made at once, and how many seeds of each: on two processors, two tasks with one seed each."""
    at_once = min(tasks, max(processors // 3, 2), processors)
    return at_once, max(min(processors // at_once, 3), 1)


def repro(report: str) -> None:
    """Make the report ``reports/NAME`` of a grid of ``conf/grid.yaml``.

    Raises:
        ValueError: where there is no such grid, or a task fails; the others are made all the same.
    """
    runs = planned_runs(CONF, [report])
    grid(CONF.parent)
    comparison = comparison_of(report)
    if not _dvc("status", "--quiet", "--with-deps", comparison):
        print(f"{report} is up to date")
        return
    if _dvc("repro", "--quiet", stage_of(report, "settings")):  # which code and settings there are, all others depend on
        raise ValueError("the settings of the grid cannot be composed, as said above")
    wanted = longest_first(targets(runs))
    if failed := make_tasks(wanted, runs, Progress(report, sum(run.seeds for run in runs), "runs")):
        raise ValueError(f"{', '.join(failed)} failed, as said above; the same command goes on with what is not made yet")
    if _dvc("repro", "--quiet", comparison):
        raise ValueError(f"stage {comparison} failed, as said above")
    register(wanted)


def make_tasks(wanted: Mapping[str, Sequence[str]], runs: Sequence[PlannedRun], count: Progress) -> list[str]:
    """Make the stages of each task, several tasks at once, and say how many ``runs`` are made; returns what failed."""
    tasks_at_once, seeds_at_once = shares(len(wanted), os.cpu_count() or 1)
    failed, made = list[str](), Made(runs, count)
    with count, delivering(made.tick), ThreadPoolExecutor(tasks_at_once) as pool:
        environment = os.environ | {AT_ONCE: os.environ.get(AT_ONCE, str(seeds_at_once)), LEFT: "left"}
        jobs = {pool.submit(_make, stages, environment, made): task for task, stages in wanted.items()}
        try:
            for job in as_completed(jobs):
                failed += [jobs[job]] if job.result() else []
                print(made.said(), file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _end_all()
            raise
    return failed


def register(tasks: Iterable[str]) -> None:
    """Have the best model of each task registered, as far as the dashboard answers."""
    from pipelines.tracking.best import register_best  # imports torch: a second, where all is up to date a third of the whole

    with held_back():
        for name in sorted(tasks):
            finished, card = read_runs(Path("runs"), name)[0], read_card(Path("data"), name)
            task = task_of_runs(CONF, name, [run.config for run in finished], card)
            print(register_best(Path("runs"), finished, task, card, Path("data/processed") / name))
    flush()


class Made:
    """How many of the planned runs are made, and how long the others take, if that is as the stored ones tell."""

    def __init__(self, runs: Sequence[PlannedRun], count: Progress) -> None:
        self._seeds: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        for run in runs:
            stage = stage_of(run.report, f"evaluate@{run.key}")
            stored = read_results(Path("results") / f"{run.task}.json")
            self._seeds[stage] = run.seeds
            self._seconds[stage] = sum(one.seconds for one in stored if one.rnn == run.rnn) or 1.0
        self._count, self._lock = count, threading.Lock()
        self._over, self._skipped = set[str](), set[str]()

    def over(self, stages: Sequence[str], *, skipped: bool = False) -> None:
        """These stages are over; those that were ``skipped`` took no time."""
        with self._lock:
            self._over.update(stage for stage in stages if stage in self._seeds)
            self._skipped.update(stages if skipped else ())
            self._count.reach(sum(self._seeds[stage] for stage in self._over), left=self._left())

    def _left(self) -> float | None:
        spent = sum(self._seconds[stage] for stage in self._over - self._skipped)
        rest = sum(seconds for stage, seconds in self._seconds.items() if stage not in self._over)
        return self._count.seconds / spent * rest if spent else None

    def tick(self) -> None:
        """Say how far it is, if it is time to."""
        self.over(())

    def said(self) -> str:
        return self._count.state().line()


@contextmanager
def delivering(tick: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Tell the dashboard, every few seconds, what stages that are over have left; what does not get there waits.

    Each time ``tick`` is called.
    """
    over = threading.Event()

    def deliver() -> None:
        while not over.wait(BETWEEN):
            tick()
            with suppress(ConnectionError):  # the next command says so, and tries again
                if waiting_files():
                    deliver_waiting()

    thread = threading.Thread(target=deliver, name="tracking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(ONCE_ANSWERED)


def longest_first(wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Tasks by the time that their stored trainings took, so that none of the long ones is left to the end alone."""
    seconds = {task: sum(run.seconds for run in read_results(Path("results") / f"{task}.json")) for task in wanted}
    return {task: wanted[task] for task in sorted(wanted, key=lambda task: -seconds[task])}


def _make(stages: Sequence[str], environment: dict[str, str], made: Made) -> int:
    """Have DVC make the stages of one task, in their order; returns its exit code.

    It looks at these stages alone. To look at those that all tasks depend on, a DVC wants to lock what they write, which
    another one reads for as long as it trains.
    """

    def follow(line: str) -> None:
        print(line, end="", flush=True)
        if (found := STAGE.match(line)) and found[2] in stages:
            at = stages.index(found[2])
            made.over(stages[:at])
            made.over(stages[at : at + (found[1] == "Stage")], skipped=True)

    code = _dvc("repro", "--single-item", *stages, environment=environment, follow=follow)
    made.over(stages if code == 0 else ())
    return code


def _dvc(*words: str, environment: Mapping[str, str] = os.environ, follow: Callable[[str], None] | None = None) -> int:
    """The exit code of a command of DVC, which ends with this process; ``follow`` is given the lines that it prints.

    It is in a group of its own, out of reach of Ctrl-C, which DVC would answer by lines of its own.
    """
    command = [sys.executable, "-m", "pipelines.runs.dvc_command", "--wait-for-lock", *words]
    variables = {**environment, STARTER: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    out = subprocess.PIPE if follow else None
    with subprocess.Popen(command, env=variables, process_group=0, stdout=out, text=True, errors="replace") as process:
        _running.append(process)
        if _ending.is_set():
            process.terminate()
        try:
            for line in process.stdout or ():
                assert follow is not None
                follow(line)
            return process.wait()
        except BaseException:
            process.terminate()
            raise
        finally:
            _running.remove(process)


def _end_all() -> None:
    """End every DVC at work or about to be, and with it its stage, which saves first."""
    _ending.set()
    for process in list(_running):
        process.terminate()


def main() -> None:
    report, *more = sys.argv[1:] or [MAIN]
    if more:
        raise ValueError(f"give one grid, not {' '.join(sys.argv[1:])}")
    repro(report)


if __name__ == "__main__":
    exit_on_user_error(main)
