"""Every write of a stage can fail: what was there is there, one line names the cause and the file, the next go completes."""

import json
import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import stores
from faults import Outcome, attempt
from inline_sweep import GRID
from often import some

SETTINGS = [
    "task=adding",
    "rnn=gru",
    "seed=1",
    "name=small",
    "task.corpus.rows={train:20,validation:10,test:10}",
    "task.corpus.steps=4",
]
SETTINGS += ["task.training={epochs:2,clip:1.0,validate_every:3}", "task.data.batch_size=5", "task.parameters=200"]
STAGES: dict[str, list[str]] = {
    "fetch": ["pipelines.fetch", *SETTINGS],
    "preprocess": ["pipelines.preprocess", *SETTINGS],
    "train": ["pipelines.train", *SETTINGS],
    "evaluate": ["pipelines.evaluate", *SETTINGS],
    "digest": ["pipelines.digest", "runs/adding/gru-small", "evaluated/mine/adding-gru.json"],
    "compare": ["pipelines.compare", "task=adding"],
    "publish": ["pipelines.publish"],
    "sweep": [
        *("inline_sweep", "sweep=grid", "trials=2", "storage=sqlite:///sweeps.db"),
        *(word for word in SETTINGS if word != "name=small"),
    ],
}
TIMES = ("seconds", "units_per_second", "peak_memory_mb", "mlflow_run_id", "versions")
KEPT = ("data", "trained", "runs", "reports", "evaluated", "swept")


def outputs(project: Path) -> dict[str, object]:
    """The files that stages leave, by their paths: what does not depend on the time that it took."""
    found: dict[str, object] = {}
    for folder in KEPT:
        for file in sorted((project / folder).rglob("*")):
            if file.is_file() and not file.name.endswith(".lock"):
                found[file.relative_to(project).as_posix()] = content(file)
    return found


def content(file: Path) -> object:
    if file.suffix == ".json":
        values = json.loads(file.read_text())
        return {name: value for name, value in values.items() if name not in TIMES}
    if file.name == "curves.csv":
        return [[cell for column, cell in enumerate(line.split(",")) if column != 2] for line in file.read_text().splitlines()]
    if file.suffix == ".yaml":  # without the number of a trial, which is another one where it was begun again
        return [line for line in file.read_text().splitlines() if not re.match(r"#|  (best|sha256):", line)]
    if file.name == "SHA256SUMS":  # of files that hold times, too; stages compare them
        return file.read_text().count("\n")
    return file.stat().st_size > 0 if file.parts[-1].endswith((".html", ".png", ".csv", ".md", ".svg")) else file.read_bytes()


class Projects:
    """For each stage the projects before and after it, made by the stages up to it when they are first asked for."""

    def __init__(self, root: Path) -> None:
        start = root / "start"
        (start / "swept/sweep").mkdir(parents=True)
        (start / "swept/sweep/grid.yaml").write_text(GRID)
        self._made = [start]

    def before(self, stage: str) -> Path:
        number = [*STAGES].index(stage)
        return self._made[0] if number == 0 else self.after([*STAGES][number - 1])

    def after(self, stage: str) -> Path:
        for name in [*STAGES][len(self._made) - 1 : [*STAGES].index(stage) + 1]:
            project = self._made[0].with_name(f"after-{name}")
            shutil.copytree(self._made[-1], project)
            done = attempt(STAGES[name], project)
            assert done.code == 0, done.output
            self._made.append(project)
        return self._made[[*STAGES].index(stage) + 1]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    stores.empty()  # known to every fork
    return Projects(tmp_path_factory.mktemp("projects"))


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def check_fault(stage: str, number: int, projects: Projects, place: Path) -> Outcome:
    """Fault point ``number`` of ``stage`` fails: nothing is lost, the error is one line, and the next go completes."""
    project = place / f"{stage}-{number}"
    before, expected = outputs(projects.before(stage)), outputs(projects.after(stage))
    shutil.copytree(projects.before(stage), project)
    failed = attempt(STAGES[stage], project, number)
    where = (
        f"{stage}, fault {number}: {failed.points[number]}" if number < len(failed.points) else f"{stage}: no fault {number}"
    )
    assert "Traceback" not in failed.output, f"{where}\n{failed.output}"
    there = outputs(project)
    lost = [name for name, value in before.items() if there.get(name) not in (value, expected.get(name))]
    assert not lost, f"{where} lost {lost}"
    if failed.code:
        errors = [line for line in failed.output.splitlines() if line.startswith("error:")]
        assert failed.code == 2 and len(errors) == 1, f"{where}: exit code {failed.code}\n{failed.output}"
        told = failed.points[number].split()[-1]
        assert os.path.basename(told).strip(".").split(".")[0] in errors[0], f"{where}: {errors[0]}"
    again = attempt(STAGES[stage], project)
    assert again.code == 0, f"{where}, the next go: {again.output}"
    assert outputs(project) == expected, where
    shutil.rmtree(project)
    return failed


def check_kill(stage: str, number: int, projects: Projects, place: Path) -> None:
    """``stage`` is killed at a fault point: nothing is lost, the next go completes, and leaves nothing of the killed one."""
    project = place / f"{stage}-{number}-killed"
    expected = outputs(projects.after(stage))
    shutil.copytree(projects.before(stage), project)
    assert attempt(STAGES[stage], project, number, killed=True).code == -signal.SIGKILL
    again = attempt(STAGES[stage], project)
    assert again.code == 0, f"{stage}, killed at {number}, the next go: {again.output}"
    assert outputs(project) == expected, f"{stage}, killed at {number}"
    shutil.rmtree(project)


def points_of(stage: str, projects: Projects, place: Path) -> Sequence[str]:
    project = place / f"{stage}-count"
    shutil.copytree(projects.before(stage), project)
    return attempt(STAGES[stage], project).points


def of_each_kind(points: Sequence[str]) -> list[int]:
    """The first point of each kind and file, whose number of the trial, the process and the time are left out."""
    named = [re.sub(r"\d+", "", re.sub(r"\d{9,}[-\w]*", "", point)) for point in points]
    return [number for number, name in enumerate(named) if name not in named[:number]]


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_every_fault_point_of_a_stage(stage: str, projects: Projects, tmp_path: Path) -> None:
    points = points_of(stage, projects, tmp_path)
    chosen = of_each_kind(points) if stage == "sweep" else range(len(points))
    print(f"{stage}: {len(chosen)} of {len(points)} fault points")
    failed = []
    for number in chosen:
        try:
            check_fault(stage, number, projects, tmp_path)
        except AssertionError as error:
            failed.append(str(error))
    assert not failed, "\n\n".join([f"{len(failed)} of {len(chosen)} fault points", *failed])


@pytest.mark.parametrize("stage", some(["train", *(stage for stage in STAGES if stage != "train")], 2))
def test_some_fault_points_of_a_stage(stage: str, projects: Projects, tmp_path: Path) -> None:
    points = points_of(stage, projects, tmp_path)
    assert points, "a stage writes something"
    for number in {len(points) // 2, len(points) - 1} if stage == "fetch" else {len(points) // 2}:
        check_fault(stage, number, projects, tmp_path)


@pytest.mark.parametrize("stage", some(["preprocess", "fetch", "compare"], 1))
def test_a_killed_stage_leaves_nothing_that_the_next_go_does_not_take_away(
    stage: str, projects: Projects, tmp_path: Path
) -> None:
    points = points_of(stage, projects, tmp_path)
    within = [number for number, point in enumerate(points) if ".partial" in point or ".tmp" in point]
    for number in {within[len(within) // 2], within[-1]}:
        check_kill(stage, number, projects, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "sweep"])
def test_a_stage_that_is_killed_at_any_fault_point(stage: str, projects: Projects, tmp_path: Path) -> None:
    points = points_of(stage, projects, tmp_path)
    for number in of_each_kind(points) if stage == "train" else range(len(points)):
        check_kill(stage, number, projects, tmp_path)
