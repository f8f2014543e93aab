"""One process at a time in a folder; a process is known by more than its number."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from run_folders import run_by_stages

from pipelines import tracking
from pipelines.runs.processes import lock_folder, remove_leftovers, start_time
from rnn_lightning import files
from rnn_lightning.files import check_sums, read_json, whole_folder, written_beside

ROOT = Path(__file__).resolve().parent.parent
HOLD = "import sys; from pathlib import Path; from pipelines.runs.processes import lock_folder; "
HOLD += "lock = lock_folder(Path(sys.argv[1]), 'it'); print('held', flush=True); sys.stdin.read()"


def test_a_folder_is_one_process_alone_until_it_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=rf"another process is at work on adding gru seed 1, in {folder}"):
            lock_folder(folder, "adding gru seed 1")
        other.kill()
    with lock_folder(folder, "adding gru seed 1"), pytest.raises(ValueError, match="another process"):
        lock_folder(folder, "adding gru seed 1")
    lock_folder(folder, "adding gru seed 1").close()


def test_the_birth_of_a_process_does_not_move_with_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    before = start_time(os.getpid())
    assert 0 < before < 1e9, "seconds of this machine, not of 1970"
    boot = psutil.boot_time()
    for place in ("psutil", "psutil._pslinux"):
        monkeypatch.setattr(f"{place}.boot_time", lambda: boot + 7200)
    assert start_time(os.getpid()) == before
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert start_time(child.pid) > before
    with pytest.raises(psutil.NoSuchProcess):
        start_time(child.pid)


@pytest.mark.parametrize("renamed", [1, 2], ids=["before the old one is away", "between the old one and the new one"])
def test_a_kill_while_a_folder_is_replaced_loses_no_folder(
    renamed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill lets nothing run that would put things right; here it is an error that no handler of ours catches."""
    target, calls, rename = tmp_path / "run", [], Path.rename
    with whole_folder(target) as folder:
        (folder / "file").write_text("old")

    def killed(path: Path, to: Path) -> Path:
        calls.append(path)
        if len(calls) == renamed:
            raise SystemExit
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", killed)
    monkeypatch.setattr(files.shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(SystemExit), whole_folder(target) as folder:
        (folder / "file").write_text("new")
    monkeypatch.undo()
    assert target.exists() == (renamed == 1)
    remove_leftovers(target)
    assert (target / "file").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["run"]


WRITES = """
import os, signal, sys
from pathlib import Path
from rnn_lightning.files import whole_folder, written_beside
with (whole_folder if sys.argv[1] == "folder" else written_beside)(Path(sys.argv[2])) as partial:
    (partial / "part" if partial.is_dir() else partial).write_text("a part")
    if sys.argv[3] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    print("at work", flush=True)
    input()
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_who_writes_a_target_removes_what_killed_ones_left_of_it_and_nothing_else(kind: str, tmp_path: Path) -> None:
    target, words = tmp_path / "target", [sys.executable, "-c", WRITES, kind, str(tmp_path / "target")]
    subprocess.run([*words, "killed"], check=False)
    killed = {*tmp_path.iterdir()}
    assert len(killed) == 1
    with subprocess.Popen([*words, "lives"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout is not None and living.stdout.readline()
        at_work = {*tmp_path.iterdir()}
        assert len(at_work) == 1 and at_work != killed
        (tmp_path / ".target.of-another.tmp").touch()
        with (whole_folder if kind == "folder" else written_beside)(target) as partial:
            partial.touch()
        assert at_work < {*tmp_path.iterdir()}
        living.communicate(b"\n")
    assert living.returncode == 0 and {*tmp_path.iterdir()} >= {target, tmp_path / ".target.of-another.tmp"}


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, rename = tmp_path / "run", Path.rename
    with whole_folder(target) as folder:
        (folder / "file").write_text("old")

    def full(path: Path, to: Path) -> Path:
        if to == target and path.name.endswith(".partial") and ".old." not in path.name:
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match=r"No space left on device \(.* MB are free\): '.*/run'"), whole_folder(target) as folder:
        (folder / "file").write_text("new")
    assert (target / "file").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_of_two_preprocessings_at_once_one_waits_and_both_end_well(tmp_path: Path) -> None:
    settings = ["task=adding", "task.corpus.rows={train:9,validation:3,test:3}"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    fetch, preprocess = ([sys.executable, "-m", f"pipelines.{stage}", *settings] for stage in ("fetch", "preprocess"))
    subprocess.run(fetch, cwd=tmp_path, env=environment, check=True)
    both = [subprocess.Popen(preprocess, cwd=tmp_path, env=environment) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    left = sorted(path.name for path in (tmp_path / "data/processed").iterdir())
    assert left == ["adding"]
    check_sums(tmp_path / "data/processed/adding", again="")


@pytest.mark.slow
def test_of_two_evaluations_at_once_one_waits_and_both_leave_what_one_alone_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dashboard has one model then, as after one: each evaluation replaces that of the evaluation before it."""
    settings = ["task=adding", "task.corpus.rows={train:20,validation:5,test:5}", "rnn=gru"]
    settings += ["task.training={epochs:1,clip:1,validate_every:null}"]
    with run_by_stages(tmp_path, settings) as run:
        alone = {file.name: file.read_bytes() for file in run.iterdir()}
        shutil.rmtree(run.parents[2])
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'src'}")
        command = [sys.executable, "-m", "pipelines.evaluate", *settings, "seed=1"]
        both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=120)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert not any("warning" in text for text in said), said
        assert {file.name: file.read_bytes() for file in run.iterdir()} == alone
        run_id = read_json(run / "training.json")["mlflow_run_id"]
        experiment = tracking.store.client().get_run(run_id).info.experiment_id
        assert len(tracking.store.client().search_logged_models([experiment], f"source_run_id = '{run_id}'")) == 1
