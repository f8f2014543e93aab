"""DVC and `make repro` killed at random times: nothing stays behind, and the next go completes with equal outputs.

``KILLS=30 python -m pytest -m slow tests/test_stage_kills.py`` kills as often as it says.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
KILLS = int(os.environ.get("KILLS", "2"))
GRIDS = "generated:\n  - {task: [adding], rnn: [elman, gru], seeds: 1}\nother:\n  - {task: [nested], rnn: [lstm], seeds: 1}\n"
SMALLER = {
    "steps: 50": "steps: 10",
    "20000": "1500",
    "parameters: 5000": "parameters: 500",
    "validate_every: 200": "validate_every: 20",
}
COMMANDS = {"dvc": ["dvc", "repro"], "repro": ["pipelines.repro"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a grid of two small runs."""
    place = tmp_path_factory.mktemp("project")
    for part in ("pipelines", "conf", "src", "results", ".dvc"):
        ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp")
        shutil.copytree(ROOT / part, place / part, ignore=ignored)
    (place / "hub").mkdir()
    for file in ("dvc.yaml", "hub/dvc.yaml"):
        shutil.copy(ROOT / file, place / file)
    (place / "conf/grid.yaml").write_text(GRIDS)

    file = place / "conf/task/adding.yaml"
    text = file.read_text()
    for before, after in SMALLER.items():
        text = text.replace(before, after)
    file.write_text(text)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "pipelines.grid"]):
        subprocess.run(command, cwd=place, env=environment(place), check=True)
    return place


def environment(place: Path) -> dict[str, str]:
    variables = {"PYTHONPATH": f"{place}:{place}/src", "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}
    return {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"} | variables


def begin(place: Path, command: str) -> subprocess.Popen[bytes]:
    words, log = [sys.executable, "-m", *COMMANDS[command]], (place / "log").open("ab")
    return subprocess.Popen(words, cwd=place, env=environment(place), stdout=log, stderr=log, start_new_session=True)


def of_project(place: Path) -> list[psutil.Process]:
    """The living processes at work in the project."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(place) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def reset(place: Path) -> None:
    """Take away what trainings made, and DVC's copies of it."""
    for name in ("work", "trained", "runs", "evaluated", "reports", ".dvc/cache"):
        shutil.rmtree(place / name, ignore_errors=True)


def complete(place: Path, command: str) -> dict[str, str]:
    """Run the command to its end; hashes of what decides: models and metrics."""
    process = begin(place, command)
    assert process.wait(400) == 0, (place / "log").read_text()[-3000:]
    files = [
        *place.glob("runs/*/*/*/metrics.json"),
        *place.glob("runs/*/*/*/model.ckpt"),
        *place.glob("data/processed/*/*.npz"),
    ]
    assert len([file for file in files if file.name == "metrics.json"]) == 2
    return {str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def leaked(place: Path) -> list[str]:
    names = [*place.glob("*/**/.*.tmp"), *place.glob("*/**/.*.partial"), *place.glob("*/**/*.new")]
    return [str(file.relative_to(place)) for file in names if ".dvc" not in file.parts]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_leaves_no_process_and_the_next_completes(command: str, project: Path) -> None:
    """The command alone is killed, of `make repro` also one of its DVCs; each time all must be gone after two seconds."""
    draws = random.Random(7)
    reset(project)
    began = time.monotonic()
    expected = complete(project, command)
    whole, remained, killed = time.monotonic() - began, [], 0
    while killed < KILLS:
        reset(project)
        for _ in range(min(3, KILLS - killed)):
            process = begin(project, command)
            time.sleep(draws.uniform(0.1, 0.8) * whole)
            dvcs = [each for each in of_project(project) if "pipelines.runs.dvc_command" in each.cmdline()]
            if process.poll() is None:
                killed += 1
                victim = draws.choice([process.pid, *(each.pid for each in dvcs)])
                os.kill(victim, signal.SIGKILL)
                if victim != process.pid:  # another DVC may be at work: the command goes on with it
                    process.wait(400)
                time.sleep(2)
                remained += [" ".join(each.cmdline()) for each in of_project(project)]
            process.kill()
            process.wait()
        assert complete(project, command) == expected
        assert not leaked(project), leaked(project)
        print(json.dumps({"killed": killed, "remained": remained}), file=sys.stderr)
    assert not remained
