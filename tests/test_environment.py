"""What the environment may lack or hold: a user without a name, no home, no git, paths of any characters; a training works."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.runs import provenance
from pipelines.settings.environment import complete_environment, user_name

ROOT = Path(__file__).parents[1]
SMALL = [
    *("task=adding", "rnn=gru", "seed=1", "task.corpus.rows={train:20,validation:5,test:5}", "task.corpus.steps=6"),
    *("task.parameters=null", "+task.rnn.hidden_size=4", "task.training.epochs=1", "task.training.validate_every=null"),
]
STAGES = """
import sys
from pipelines import evaluate, fetch, preprocess, train
from pipelines.settings.compose import run_stage
for stage in (fetch.fetch, preprocess.preprocess, train.train, evaluate.evaluate):
    run_stage(stage)
"""


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> Any:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nameless")
def test_a_user_without_a_name_has_the_number_and_some_home() -> None:
    assert user_name() == str(os.getuid())
    complete_environment()
    assert os.environ["LOGNAME"] == str(os.getuid()) and Path.home().is_dir()


def test_a_name_and_a_home_that_are_there_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setenv("HOME", str(tmp_path))
    complete_environment()
    assert user_name() == "ada" and Path.home() == tmp_path


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == "unknown"


def test_without_a_checkout_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    assert provenance.commit() == "unknown"


@pytest.mark.parametrize(
    ("path", "dirty"),
    [("conf/task/mine.yaml", True), ("src/own.py", True), ("notes.txt", False), ("conf/ignored.tmp", False)],
)
def test_an_untracked_file_that_decides_a_run_makes_its_commit_no_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, dirty: bool
) -> None:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    (tmp_path / ".gitignore").write_text("*.tmp\n")
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    head = provenance.commit()
    assert len(head) == 40
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    assert provenance.commit() == (f"{head}-dirty" if dirty else head)


PLACES = ["plain", "50% = it's ü猫; #1 & more"]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_all_stages_work_under_a_number_without_home_and_git(place: str, tmp_path: Path) -> None:
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root may run as another user, by setpriv")
    folder = tmp_path / place
    folder.mkdir()
    for path in (folder, tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o777)
    environment = {"PATH": "/nowhere", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"
    command = ["/usr/bin/setpriv", "--reuid", "12345", "--clear-groups", sys.executable, "-c", STAGES, *SMALL]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list(folder.glob("runs/adding/gru-*/1/metrics.json"))) == 1
