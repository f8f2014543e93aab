"""The code of a command is all that it imports: by small trees of files, and against what the stages really load."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stores import copy_empty

from pipelines.runs import code
from pipelines.runs.code import COMMANDS, code_of, imports, listing, weights_hash
from pipelines.settings.places import PROJECT as ROOT

TREE = {
    "pipelines/__init__.py": "",
    "pipelines/go.py": "from rnn_lightning import Net\nimport json\n\ndef later():\n    from pipelines.rooms import deep\n",
    "pipelines/rooms/__init__.py": "from . import shallow\n",
    "pipelines/rooms/shallow.py": "from ..other import thing\n",
    "pipelines/rooms/deep.py": "",
    "pipelines/other.py": "",
    "pipelines/unread.py": "",
    "rnn_lightning/__init__.py": "if TYPE_CHECKING:\n    from .nets import Net\n    from .more import More\n",
    "rnn_lightning/nets.py": "if typing.TYPE_CHECKING:\n    from .more import More\nfrom .cells import lstm as cell\n",
    "rnn_lightning/more.py": "",
    "rnn_lightning/cells/__init__.py": "",
    "rnn_lightning/cells/lstm.py": "",
}  # fmt: skip


@pytest.fixture
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "FOLDERS", {"rnn_lightning": tmp_path, "pipelines": tmp_path})
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "pipelines")
    code.imports.cache_clear()
    code._lazy_names.cache_clear()


@pytest.mark.usefixtures("_tree")
@pytest.mark.parametrize(
    ("modules", "left_out"),
    [
        (["pipelines.go"], {"pipelines/unread.py", "rnn_lightning/more.py"}),
        (["pipelines.rooms.d*"], {"pipelines/unread.py", "pipelines/go.py", *(name for name in TREE if name[0] == "r")}),
    ],
)
def test_all_that_runs_is_reached_and_nothing_else(modules: list[str], left_out: set[str], tmp_path: Path) -> None:
    """Imports in functions, of packages, relative ones and lazy names are; those for the type checker are not."""
    assert {file.relative_to(tmp_path).as_posix() for file in code_of(modules)} == set(TREE) - left_out


@pytest.fixture(autouse=True)
def _forget() -> None:
    imports.cache_clear()
    code._lazy_names.cache_clear()


STAGES = """
import json, os, sys
from pipelines.settings.compose import compose
arguments = json.loads(sys.argv[1])
for stage in sys.argv[2:]:
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        from importlib import import_module
        getattr(import_module(f"pipelines.{stage}"), stage)(compose(arguments))
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        with os.fdopen(write, "w") as out:
            json.dump([file for file in files if file], out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as lines:
        print(stage, lines.read(), file=sys.stderr)
    assert os.waitpid(child, 0)[1] == 0, stage
"""
SMALL = ["task=dates", "rnn=lstm", "seed=1", "task.corpus.rows={train:60,validation:10,test:10}", "task.data.batch_size=30"]
SMALL += ["task.training.epochs=1", "task.training.validate_every=2", "task.parameters=9000"]


@pytest.mark.slow
def test_what_the_stages_load_is_among_their_code(tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    copy_empty(tmp_path / "mlflow.db")
    stages = ("fetch", "preprocess", "train", "evaluate")
    command = [sys.executable, "-c", STAGES, json.dumps(SMALL), *stages]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.partition(" ") for line in done.stderr.splitlines() if line.partition(" ")[0] in stages]
    loaded = {stage: {Path(file) for file in json.loads(files)} for stage, _, files in lines}
    ours = {
        stage: {file for file in files if file.is_relative_to(ROOT) and ".venv" not in file.parts}
        for stage, files in loaded.items()
    }
    for stage in stages:
        missing = ours[stage] - set(code_of(COMMANDS[stage]))
        assert not missing, f"{stage} loads {sorted(map(str, missing))}: imported by a name or path that COMMANDS does not have"
    assert ROOT / "src/rnn_lightning/systems/seq2seq.py" in ours["train"] & ours["evaluate"]


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("pipelines/comparing/differences.py", {"compare"}),
        ("src/rnn_lightning/systems/tagger.py", {"train", "evaluate"}),
        ("src/rnn_lightning/corpora/hub.py", {"fetch", "preprocess"}),
        ("pipelines/settings/schema.py", set(COMMANDS)),
        ("pipelines/sweeping/study.py", set()),
    ],
)
def test_an_edit_concerns_the_stages_that_run_it(file: str, stages: set[str]) -> None:
    concerned = {stage for stage, modules in COMMANDS.items() if ROOT / file in code_of(modules)}
    assert stages <= concerned
    assert concerned - stages <= ({"train", "evaluate"} if "corpora" in file else set())


def test_a_listing_has_a_hash_and_a_path_a_line() -> None:
    lines = listing(code_of(["pipelines.digest"])).splitlines()
    begun = [
        "pipelines/__init__.py",
        "pipelines/runs/__init__.py",
        "pipelines/runs/beginning.py",
        "pipelines/runs/following.py",
        "pipelines/settings/__init__.py",
        "pipelines/settings/interrupts.py",
    ]
    assert sorted(line[66:] for line in lines) == sorted([*begun, "pipelines/digest.py"])
    assert all(len(line.split()[0]) == 64 for line in lines)


@pytest.mark.usefixtures("_tree")
def test_the_hash_of_what_decides_weights_changes_with_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "FOLDERS", {"rnn_lightning": tmp_path / "src", "pipelines": tmp_path})
    monkeypatch.setattr(code, "LIBRARY", tmp_path / "src/rnn_lightning")
    monkeypatch.setattr(code, "WEIGHTS", ("rnn_lightning.nets",))
    (tmp_path / "pipelines/training").mkdir()
    (tmp_path / "pipelines/training/run.py").write_text("run = 1\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "rnn_lightning").rename(tmp_path / "src/rnn_lightning")
    before = weights_hash()
    for name, changes in (
        ("src/rnn_lightning/cells/lstm.py", True),
        ("pipelines/training/run.py", True),
        ("src/rnn_lightning/more.py", False),
    ):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(f"{text}# changed\n")
        assert (weights_hash() != before) == changes, name
        (tmp_path / name).write_text(text)
        assert weights_hash() == before
