"""Commands of the pipeline that are killed at random times: ``python -m benchmarks.kill_stages [--kills 30] [CASE ...]``.

Each command runs once for its expected outputs. Then SIGKILL strikes it, one to three times before it may complete, at times
drawn uniformly from its duration. Where it has further processes, one of them may be struck alone. Counted are processes that
are there 40 s later, files that an undisturbed command does not leave, and outputs that differ.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.forks import Forked
from benchmarks.kill_cases import Case, cases, environment
from pipelines.runs.provenance import commit, hardware
from pipelines.settings.places import PROJECT
from rnn_lightning.files import read_json, sha256, write_json

PATIENCE, LONGEST = 40.0, 900.0
TIMES = ("seconds", "units_per_second", "peak_memory_mb", "mlflow_run_id")
OWN_NAMES = ("mlruns", "mlartifacts", "mlflow.db", ".git", ".dvc", "dvc.lock", "lock", "log")
"""Files and folders with a name of their own in each go, or that other programs keep."""


@dataclass
class Figures:
    """What became of the kills of one case."""

    killed: int = 0
    of_children: int = 0
    missed: int = 0
    completed: int = 0
    seconds: int = 0
    longest_to_end: float = 0.0
    orphans: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        """How many of what must not be there."""
        return {name: len(getattr(self, name)) for name in ("orphans", "leaked", "different", "failed")}


class Project:
    """A folder in which a case is prepared, restored before each chain of kills, and run."""

    def __init__(self, case: Case, place: Path) -> None:
        self.case, self.place, self.start, self.log = case, place / "project", place / "start", place / "log"
        case.prepare(self.place)
        for command in case.before:
            if code := self.wait(self.begin(command)):
                raise SystemExit(f"error: {command[0]} ended with exit code {code}:\n{self.said()}")
        self.place.rename(self.start)

    def restore(self) -> None:
        """The project as it is before the command."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.start, self.place, symlinks=True)

    def begin(self, command: list[str]) -> Callable[[], int | None]:
        """Start a command; the function asks for its exit code, and its ``pid`` is its number."""
        if not self.case.alone:
            with self.log.open("ab") as log:
                words = [sys.executable, "-m", *command]
                process = subprocess.Popen(words, cwd=self.place, env=environment(self.place), stdout=log, stderr=log)
            self.pid = process.pid
            return process.poll
        forked = Forked(command, self.place, self.log)
        self.pid = forked.pid
        return forked.poll

    def wait(self, poll: Callable[[], int | None]) -> int:
        """The exit code of a command."""
        until = time.monotonic() + LONGEST
        while (code := poll()) is None:
            if time.monotonic() > until:
                raise SystemExit(f"error: a command hangs:\n{self.said()}")
            time.sleep(0.01)
        return code

    def said(self) -> str:
        """The end of what commands print."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def processes(self) -> list[psutil.Process]:
        """All that are at work in the folder."""
        found = []
        for process in psutil.process_iter():
            try:
                inside = process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(self.place)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            found += [process] if inside else []
        return found

    def files(self) -> set[str]:
        """The paths of all files, those with a name of their own left out."""
        paths = [file.relative_to(self.place) for file in self.place.rglob("*") if file.is_file()]
        return {path.as_posix() for path in paths if not set(path.parts) & set(OWN_NAMES)}

    def outputs(self) -> dict[str, object]:
        """By path, the contents that must be equal: all but times and pictures."""
        kept = [self.place / path for path in self.files() if path.startswith(self.case.kept)]
        return {str(file.relative_to(self.place)): _content(file) for file in kept if file.name.endswith(self.case.decisive)}


def _content(file: Path) -> object:
    if file.suffix == ".json":
        values = json.loads(file.read_text())
        return {name: value for name, value in values.items() if name not in TIMES}
    if file.name == "curves.csv":
        return [[cell for column, cell in enumerate(line.split(",")) if column != 2] for line in file.read_text().splitlines()]
    if file.name == "SHA256SUMS":  # of files that hold times, too
        return file.read_text().count("\n")
    return file.stat().st_size > 0 if file.suffix in (".html", ".png", ".svg") else sha256(file)


def strike(project: Project, whole: float, draws: random.Random, figures: Figures) -> bool:
    """Begin the command and kill it, or one of its processes; whether it was there to be killed."""
    poll = project.begin(project.case.command)
    until = time.monotonic() + draws.uniform(0.0, whole)
    while time.monotonic() < until and poll() is None:
        time.sleep(0.005)
    if poll() is not None:
        figures.missed += 1
        return False
    pid, children = project.pid, [process for process in project.processes() if process.pid != project.pid]
    victim = draws.choice([pid, *(child.pid for child in children[:1] and [draws.choice(children)])])
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        figures.missed += 1
        victim = pid
        os.kill(pid, signal.SIGKILL)
    figures.killed += 1
    figures.of_children += victim != pid
    project.wait(poll)  # where a child was killed, the command may go on or end
    began = time.monotonic()
    while (left := project.processes()) and time.monotonic() - began < PATIENCE:
        time.sleep(0.05)
    figures.longest_to_end = max(figures.longest_to_end, round(time.monotonic() - began, 1))
    figures.orphans += [" ".join(process.cmdline())[:200] for process in left]
    for process in left:
        process.kill()
    return True


def undisturbed(project: Project) -> tuple[float, dict[str, object], set[str]]:
    """The seconds of the command, its outputs and all files."""
    seconds = 0.0
    for _ in range(2):  # the second is as fast as those that come
        project.restore()
        began = time.monotonic()
        if code := project.wait(project.begin(project.case.command)):
            raise SystemExit(f"error: {project.case.command[0]} ended with exit code {code}:\n{project.said()}")
        seconds = time.monotonic() - began
    if not (expected := project.outputs()):
        raise SystemExit(f"error: {project.case.command[0]} leaves nothing in {project.case.kept}")
    return seconds, expected, project.files()


def study(name: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill a case so many times; what became of it."""
    case, draws, figures = cases()[name], random.Random(f"{name} {seed}"), Figures()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        project = Project(case, Path(folder))
        whole, expected, files = undisturbed(project)
        while figures.killed < kills:
            project.restore()
            chain = min(draws.randint(1, 3), kills - figures.killed)
            while chain and strike(project, whole, draws, figures):
                chain -= 1
            if code := project.wait(project.begin(case.command)):
                figures.failed.append(f"exit code {code}: {project.said()}")
                continue
            figures.completed += 1
            there = project.outputs()
            figures.different += sorted(
                path for path in expected | there if "/." not in path and expected.get(path) != there.get(path)
            )
            figures.leaked += sorted(project.files() - files)
            print(f"{name}: {figures.killed} killed; {figures.summary()}", file=sys.stderr, flush=True)
    figures.seconds = round(time.monotonic() - began)
    return {**vars(figures), "whole_seconds": round(whole, 1)}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.kill_stages", description=__doc__)
    arguments.add_argument("case", nargs="*", help="or the beginning of several, such as train; default: all")
    arguments.add_argument("--kills", type=int, default=30, help="how many, of each")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=PROJECT / "benchmarks" / "kill_stages.json")
    options = arguments.parse_args()
    for name in cases():
        if options.case and not name.startswith(tuple(options.case)):
            continue
        figures = study(name, options.kills, options.seed)
        origin = {"commit": commit(), "hardware": hardware("cpu"), "load": round(os.getloadavg()[0], 1)}
        command = f"python -m benchmarks.kill_stages --kills {options.kills} --seed {options.seed} '{name}'"
        known = read_json(options.out) if options.out.exists() else {}
        write_json(options.out, known | {name: figures | origin | {"command": command}})
        print(json.dumps({name: figures}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
