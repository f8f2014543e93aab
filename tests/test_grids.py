"""``conf/grid.yaml`` is the one place that says which runs there are: DVC's stages follow from it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from often import some

from pipelines.grid import grid, renewed
from pipelines.plan import plan, write_settings
from pipelines.runs.code import COMMANDS
from pipelines.settings.compose import CONF
from pipelines.settings.grids import HUB_FILE, MAIN, MAIN_FILE, file_of, planned_files, planned_runs, read_grids

ROOT = CONF.parent
FILES = (MAIN_FILE, HUB_FILE)


def stages(file: Path) -> dict[str, Any]:
    return yaml.safe_load((ROOT / file).read_text())["stages"]


def body(stage: dict[str, Any]) -> dict[str, Any]:
    """What a stage does, whether it is one or one of many."""
    return {key: value for key, value in stage.get("do", stage).items() if key != "wdir"}


def test_the_files_of_dvc_are_as_the_grids_say() -> None:
    for file, text in renewed(ROOT).items():
        assert (ROOT / file).read_text() == text, f"{file} is out of date: `python -m pipelines.grid` renews it"


def test_the_grids_name_what_there_is() -> None:
    for runs in read_grids(CONF).values():
        for run in runs:
            for group, name in (("task", run.task), ("rnn", run.rnn), ("trainer", run.trainer)):
                assert (CONF / group / f"{name}.yaml").exists(), f"{run.key}: no {group}/{name}.yaml"
    with pytest.raises(ValueError, match=r"grid must be one of forecasting, .*, not 'generate'"):
        planned_runs(CONF, ["generate"])


def test_the_main_job_reads_nothing_from_the_hub() -> None:
    for run in read_grids(CONF)[MAIN]:
        assert "repository" not in (CONF / "task" / f"{run.task}.yaml").read_text()


@pytest.mark.parametrize("stage", ["fetch", "preprocess", "train", "evaluate"])
def test_both_files_have_the_same_stages(stage: str) -> None:
    main, hub = (stages(file)[stage] for file in FILES)
    assert main["foreach"] == hub["foreach"] and body(main) == body(hub)
    assert hub["do"]["wdir"] == ".."


def test_both_comparisons_are_one() -> None:
    main, hub = (body(stages(file)["compare"]) for file in FILES)
    assert yaml.safe_load(yaml.safe_dump(hub).replace("${item}", MAIN)) == main


@pytest.mark.parametrize("stage", COMMANDS)
def test_every_stage_depends_on_the_code_of_its_commands(stage: str) -> None:
    for file in FILES:
        dvc = stages(file)[stage]
        commands = body(dvc)["cmd"]
        modules = [
            re.match(r"python -m ([\w.]+)", command)[1] for command in ([commands] if isinstance(commands, str) else commands)
        ]
        assert set(modules) <= set(COMMANDS[stage])
        assert f"plan/code/{stage}.txt" in body(dvc)["deps"]
    assert f"plan/code/{stage}.txt" in stages(MAIN_FILE)["code"]["outs"]


@pytest.mark.parametrize("file", some(FILES, 1))
def test_the_settings_of_a_file_are_those_that_its_stages_depend_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage writes what it declares, and every run's command line composes."""
    monkeypatch.chdir(tmp_path)
    write_settings(CONF, file)
    written = {path.as_posix() for path in Path("plan").rglob("*.json")}
    runs = [run for report, some in read_grids(CONF).items() if file_of(report) == file for run in some]
    assert written == set(planned_files(runs)) == set(stages(file)["settings"]["outs"])


def test_other_arguments_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"give `code`, `settings dvc.yaml` or `settings hub/dvc.yaml`, not setting"):
        plan(["setting"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the grids and DVC read."""
    for part in ("conf", "hub", ".dvc"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("cache", "tmp", "dvc.lock"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    return tmp_path


def test_a_grid_of_ones_own_is_one_entry(project: Path) -> None:
    """One entry in conf/grid.yaml: DVC then has the stages of its runs and its report."""
    with (project / "conf/grid.yaml").open("a") as file:
        file.write("mine:\n  - {task: [nested], rnn: [peephole_lstm, bigru], seeds: 2}\n")
    grid(project)
    command = [sys.executable, "-m", "dvc", "stage", "list", "hub/dvc.yaml", "--name-only"]
    listed = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout.split()
    own = {f"hub/dvc.yaml:{stage}@nested-{rnn}" for stage in ("train", "evaluate") for rnn in ("peephole_lstm", "bigru")}
    assert own | {"hub/dvc.yaml:compare@mine"} <= set(listed)
    assert renewed(project)[MAIN_FILE] == (ROOT / MAIN_FILE).read_text()
    before = (project / HUB_FILE).read_text()
    grid(project)
    assert (project / HUB_FILE).read_text() == before


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "mine:\n  - {task: [nested], rnn: [lstm]}",
            "run nested-lstm is in grids generated and mine: a run belongs",
        ),
        ("mine:\n  - {task: [nested, nested], rnn: [bigru]}", "run nested-bigru is in grid mine, twice"),
        ("scores:\n  - {task: [nested], rnn: [bigru]}", "a grid's name must be letters, digits and _, and none of .*'scores'"),
        ("mine: {task: [nested], rnn: [bigru]}", "grid mine must be a list of blocks"),
        ("mine:\n  - {task: [nested]}", r"grid mine: rnn is missing"),
        (
            "mine:\n  - {task: [nested], rnn: [bigru], seed: 3}",
            "grid mine: seed: there is no such setting",
        ),
        ("mine:\n  - {task: [nested], rnn: [bigru], seeds: 0}", r"grid mine: seeds must be at least 1, not 0"),
    ],
)
def test_a_bad_grid_is_refused_by_file_and_name(project: Path, entry: str, said: str) -> None:
    with (project / "conf/grid.yaml").open("a") as file:
        file.write(entry + "\n")
    with pytest.raises(ValueError, match=said) as refusal:
        grid(project)
    assert all("conf/grid.yaml: " in line for line in str(refusal.value).splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have grids by name"),
        ("mine: [{task: [nested], rnn: [lstm]}]", "among them 'generated'"),
        ("generated: []", "must be a list of blocks"),
        ("generated: [{task: [../task/nested], rnn: [lstm]}]", "task must be one of"),
        ("generated: [{task: [nested], rnn: [lstn]}]", "rnn must be one of"),
        ("generated: [{task: [nested], rnn: [lstm], trainer: cpuu}]", "trainer must be one of"),
        ("generated: [", "is no file of YAML"),
        ("a: 1\na: 2", "is no file of YAML"),
    ],
)
def test_a_file_of_grids_that_names_what_is_not_there_changes_nothing(tmp_path: Path, text: str, message: str) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    for file in (MAIN_FILE, HUB_FILE):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(CONF.parent / file, tmp_path / file)
    before = [(tmp_path / file).read_text() for file in (MAIN_FILE, HUB_FILE)]
    (tmp_path / "conf/grid.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        grid(tmp_path)
    assert [(tmp_path / file).read_text() for file in (MAIN_FILE, HUB_FILE)] == before


@pytest.mark.parametrize(
    "command", some([["predict", "run=runs/a", "beam_size=["], ["publish", "x"], ["repro", "a", "b"], ["grid", "x"]], 2)
)
def test_words_that_a_command_does_not_take_are_refused_in_one_line(command: list[str]) -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", f"pipelines.{command[0]}", *command[1:]],
        cwd=CONF.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 2 and "Traceback" not in outcome.stderr
    assert outcome.stderr.startswith("error: ") and outcome.stderr.count("\n") == 1
