"""A stored run is made again from its commit, its data and its configuration, or it is said why it cannot be."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines import reproduce
from pipelines.runs import checkouts
from pipelines.runs.folders import OPTIONAL, TEXTS, Run

ROOT = Path(__file__).resolve().parent.parent
TASK = ["task=adding", "rnn=gru", "seed=3", "task.corpus.steps=10", "task.parameters=600", "task.training.epochs=1"]
TASK += ["task.training.validate_every=4"]
TASK += [f"task.corpus.rows.{split}={rows}" for split, rows in {"train": 400, "validation": 40, "test": 40}.items()]


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_corpus(folder: Path, text: str) -> None:
    """A processed corpus of one text and a card."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.txt").write_text(text)
    (folder / "card.json").write_text(json.dumps({"sha256": {"all": hash_of(text), "files": {"test.txt": hash_of(text)}}}))


RIGHT = hash_of("right")


CONFIG: dict[str, Any] = {"task": {}, "rnn": {}, "trainer": {}}


def stored(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {field: "" if field in TEXTS else 0 for field in Run.__dataclass_fields__.keys() - set(OPTIONAL)}
    told = {"rnn": "gru", "seed": 3, "metrics": {"test/loss": 0.25}, "commit": "a" * 40, "config": CONFIG}
    told |= {"versions": {}, "hardware": "abacus", "command": "python -m pipelines.train task=adding"}
    return values | told | changes


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the project's own folder may have runs
    for module in (reproduce, checkouts):
        monkeypatch.setattr(module, "PROJECT", tmp_path)
    (tmp_path / "results").mkdir()
    runs = [stored(), stored(seed=4), stored(seed=4, commit="b" * 40), stored(seed=5, commit="c" * 40 + "-dirty")]
    runs.append(stored(seed=6, config={}))
    (tmp_path / "results/adding.json").write_text(json.dumps({"runs": runs}))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "commit", "said"),
    [
        ("adding", None, "a run is named TASK/RNN/SEED, such as ewt/bilstm/1, or by its folder, not 'adding'"),
        ("adding/gru/x", None, "a run is named TASK/RNN/SEED"),
        ("adding/lstm/3", None, "results/adding.json has no run lstm of seed 3"),
        ("nothing/lstm/3", None, "results/nothing.json has no run lstm of seed 3"),
        ("adding/gru/4", None, r"several commits: give --commit, one of \['aaaa.*', 'bbbb.*'\]"),
        ("adding/gru/4", "c", "adding/gru/4 has no run of commit 'c', but of"),
        ("adding/gru/6", None, "its stored configuration has no task, rnn, trainer"),
        ("runs/adding/gru/3", None, "runs/adding/gru/3 does not exist"),
        ("adding/gru/5", None, "the run's code cannot be had again: its commit is recorded as cccc.*-dirty"),
        ("adding/gru/3", None, "git worktree prune: "),
    ],
)
def test_what_cannot_be_made_again_is_refused(place: Path, name: str, commit: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reproduce.reproduce(name, commit=commit)


def test_a_commit_picks_one_of_several_runs(place: Path) -> None:
    assert reproduce.find("adding/gru/4", "bb")[1].commit == "b" * 40


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"tree": "right"}, ["fetch by tree", "preprocess by tree"]),
        (
            {"tree": "wrong", "root": "right"},
            ["fetch by tree", "preprocess by tree", "runs.stored_conf by root"],
        ),
        ({"tree": "wrong", "root": "wrong"}, None),
    ],
)
def test_a_corpus_is_made_by_the_code_of_the_commit_or_else_by_todays(
    place: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, str], expected: list[str] | None
) -> None:
    tree, called = place / "work/reproduced/it", []

    def call(where: Path, arguments: list[str], *, code: Path) -> str:
        who = "tree" if code == tree else "root"
        called.append(f"{arguments[1].removeprefix('pipelines.')} by {who}")
        write_corpus(where / "data/processed/adding", made[who])
        return ""

    monkeypatch.setattr(reproduce, "call", call)
    one = Run.of(stored(data=RIGHT, config={"task": {"corpus": {"seed": 1}}, "rnn": {}, "trainer": {}}))
    if expected is None:
        with pytest.raises(ValueError, match=f"the run read {RIGHT}, what is fetched now is {hash_of('wrong')}"):
            reproduce.provide_corpus("adding", one, tree, [])
    else:
        reproduce.provide_corpus("adding", one, tree, [])
        assert called == expected


@pytest.mark.parametrize(
    ("asks", "note", "linked"),
    [(False, None, True), (True, {"seed": 1}, True), (True, {"seed": 2}, False), (True, None, False)],
)
def test_the_projects_corpus_is_taken_where_the_code_of_then_takes_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, asks: bool, note: dict[str, int] | None, linked: bool
) -> None:
    tree, own = place / "work/reproduced/it", place / "data/processed/adding"
    (tree / "pipelines").mkdir(parents=True)
    write_corpus(own, "right")
    if note is not None:
        (own / "corpus.json").write_text(json.dumps(note))
    if asks:
        (tree / "pipelines/cards.py").touch()
    processed = tree / "data/processed/adding"

    def fetch(*_: Any, **__: Any) -> str:
        write_corpus(processed, "right")
        return ""

    monkeypatch.setattr(reproduce, "call", fetch)
    one = Run.of(stored(data=RIGHT, config={"task": {"corpus": {"seed": 1}}, "trainer": {}}))
    reproduce.provide_corpus("adding", one, tree, [])
    assert processed.is_symlink() == linked


def test_a_checkout_that_a_kill_cut_short_is_made_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    (place / "pipelines").mkdir()
    for name in ("train.py", "evaluate.py"):
        (place / "pipelines" / name).touch()
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], cwd=place, check=True)
    tree = place / "work/reproduced/adding"

    def killed(*words: str) -> None:
        if words[1] in ("add", "remove"):  # half of the files are there
            folder = next(Path(word) for word in words if "reproduced" in word)
            (folder / "pipelines").mkdir(parents=True, exist_ok=True)
            (folder / "pipelines/train.py").touch()
            (folder / "pipelines/evaluate.py").unlink(missing_ok=True)
            raise SystemExit
        whole(*words)

    whole = checkouts.git
    for step in (lambda: checkouts.check_out("HEAD", tree), lambda: checkouts.remove(tree)):
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(checkouts, "git", killed)
            patch.setattr("os.getpid", lambda: 2**22 + 1)  # Linux gives no such number
            step()
        checkouts.check_out("HEAD", tree)
        assert sorted(file.name for file in (tree / "pipelines").iterdir()) == ["evaluate.py", "train.py"]


def run(place: Path, *command: str, code: int = 0) -> str:
    told: Mapping[str, str] = {"PYTHONPATH": f"{place}:{place}/src", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=place, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its own with a stored run, whose code and corpus have changed since."""
    tmp_path = tmp_path_factory.mktemp("project")
    for part in ("pipelines", "conf", "src"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".gitignore").write_text("/data/\n/runs/\n/work/\n/trained/\n__pycache__/\n/ml*\n")
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "all"]):
        run(tmp_path, "git", *arguments)
    for stage in ("fetch", "preprocess", "train", "evaluate"):
        run(tmp_path, sys.executable, "-m", f"pipelines.{stage}", *TASK)
    run(tmp_path, sys.executable, "-c", "from pathlib import Path as P; from pipelines.results import store; "
        "store(P('runs'), P('results'), 'adding', [folder.name for folder in P('runs/adding').iterdir()])")  # fmt: skip
    (tmp_path / "conf/rnn/gru.yaml").unlink()
    shutil.rmtree(tmp_path / "data")
    return tmp_path


@pytest.mark.slow
def test_a_run_is_made_again_from_its_commit_its_data_and_its_configuration(project: Path) -> None:
    told = run(project, sys.executable, "-m", "pipelines.reproduce", "adding/gru/3")
    assert "matches bit for bit" in told and not list((project / "work/reproduced").iterdir())


@pytest.mark.slow
def test_what_is_stored_is_trained_and_what_differs_is_told(project: Path) -> None:
    """A number that was changed by hand is found; a task that is not in the commit is taken from the run."""
    file = project / "results/adding.json"
    text = json.loads(file.read_text())
    del text["sha256"]
    text["runs"][0]["metrics"]["test/loss"] += 1e-9
    file.write_text(json.dumps(text))
    told = run(project, sys.executable, "-m", "pipelines.reproduce", "adding/gru/3", code=1)
    assert "differs by -1e-09" in told and "does not match\nnothing that is recorded of the machine differs" in told
    text["runs"][0]["versions"]["torch"] = "1.0"
    text["runs"][0]["command"] = "python -m pipelines.train task=mine rnn=gru seed=3"
    file.write_text(json.dumps(text))
    told = run(project, sys.executable, "-m", "pipelines.reproduce", "adding/gru/3")
    assert "task must be one of" in told and "the stored one is taken" in told and "Traceback" not in told
    assert "matches within the tolerance" in told and "1.0 there" in told
    text["runs"][0]["config"]["task"]["model"] = {"_target_": "rnn_lightning.Nothing"}
    file.write_text(json.dumps(text))
    told = run(project, sys.executable, "-m", "pipelines.reproduce", "adding/gru/3", code=2)
    assert "Traceback" not in told and told.splitlines()[-1].startswith("error: ")
