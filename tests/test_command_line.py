"""``rnn``, which has all commands, in a clone and as an installed package."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

import rnn_lightning
from pipelines.__main__ import ORDER, commands, overview, summary
from pipelines.serve import read_words
from pipelines.settings import places

ROOT = Path(__file__).resolve().parents[1]


def rnn(
    *words: str, cwd: Path, command: tuple[str, ...] = (sys.executable, "-m", "pipelines"), given: str = ""
) -> tuple[int, str, str]:
    """The exit code of ``rnn WORDS``, and what it says; ``given`` is its standard input."""
    paths = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"} if command[0] == sys.executable else {}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, *words], cwd=cwd, env=kept | paths, input=given, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_help_has_a_line_for_each_command() -> None:
    lines = overview().splitlines()
    for name in ORDER:
        assert any(line.startswith(f"  {name} ") and summary(name) in line for line in lines)
        assert summary(name)[0].isupper() and "``" not in summary(name)
    assert set(ORDER) <= set(commands()) and len(set(commands())) == len(commands())


def test_a_command_is_that_of_its_module(tmp_path: Path) -> None:
    assert rnn("fetch", "task=addin", cwd=tmp_path) == (2, *_module("fetch", "task=addin", cwd=tmp_path))
    code, said, _ = rnn("train", "--help", cwd=tmp_path)
    assert code == 0 and said.startswith("Stage: train one architecture") and "task.training.clip" in said


def _module(name: str, *words: str, cwd: Path) -> tuple[str, str]:
    return rnn(*words, cwd=cwd, command=(sys.executable, "-m", f"pipelines.{name}"))[1:]


def test_another_word_is_refused_in_a_line(tmp_path: Path) -> None:
    code, said, errors = rnn("trian", cwd=tmp_path)
    assert (code, said) == (2, "") and re.fullmatch(r"error: rnn has no command 'trian'; there are init, new, .*\n", errors)


def test_the_configuration_of_the_project_comes_before_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("installed", "project"):
        (tmp_path / folder / "conf").mkdir(parents=True)
    (tmp_path / "installed/conf/config.yaml").touch()
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "installed")
    assert places.configuration(tmp_path / "project") == tmp_path / "installed/conf"
    (tmp_path / "project/conf/config.yaml").touch()
    assert places.configuration(tmp_path / "project") == tmp_path / "project/conf"
    for folder in ("installed", "project"):  # which errors then name
        (tmp_path / folder / "conf/config.yaml").unlink()
    assert places.configuration(tmp_path / "project") == tmp_path / "project/conf"


def test_a_clone_has_its_configuration(tmp_path: Path) -> None:
    code, _, errors = rnn("init", cwd=tmp_path)
    assert code == 2 and "commands of a clone of the repository read" in errors and not any(tmp_path.iterdir())


def test_the_container_takes_what_is_there_and_serves_by_a_right_command() -> None:
    lines = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    words = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines if line and not line.startswith("#")}
    program, command = json.loads(words["ENTRYPOINT"]), json.loads(words["CMD"])
    assert (
        program == ["rnn", "serve"] and read_words(command).host == "0.0.0.0" and f"EXPOSE {read_words(command).port}" in lines
    )
    assert (ROOT / "constraints.txt").read_text().count("\ntorch==") == 1
    assert words["COPY"].split()[:2] == ["constraints.txt", "dist/*.whl"]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored == ["*", "!constraints.txt", "!dist/*.whl"]


@pytest.mark.slow
def test_the_wheel_has_all_that_the_commands_need(tmp_path: Path) -> None:
    """Built and installed beside the packages of this environment: the smallest task from nothing to an answer."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries, (packages,) = tmp_path / "venv/bin", (tmp_path / "venv/lib").glob("*/site-packages")
    subprocess.run([binaries / "pip", "--quiet", "install", "--no-deps", wheel], check=True)
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    (tmp_path / "project").mkdir()

    def run(*words: str, code: int = 0, given: str = "") -> str:
        done = rnn(*words, cwd=tmp_path / "project", command=(str(binaries / "rnn"),), given=given)
        assert done[0] == code, done
        return done[1] + done[2]

    assert run("--version") == f"rnn-lightning {rnn_lightning.__version__}\n"
    small = ["task=adding", "task.corpus.rows={train:60,validation:20,test:20}"]
    training = [*small, "rnn=gru", "task.training={epochs:1,clip:1,validate_every:null}"]
    for stage, words in {"fetch": small, "preprocess": small, "train": training, "evaluate": training}.items():
        run(stage, *words)
    (folder,) = (tmp_path / "project/runs/adding").glob("gru-*/1")
    assert f'"commit": "rnn-lightning-{rnn_lightning.__version__}"' in (folder / "training.json").read_text()
    item = "[[0.5, 1], [0.25, 0], [0.75, 1]]"
    (line,) = run("predict", f"run={folder}", "format=json", given=f"{item}\n").splitlines()
    assert {"line": 1, **served(str(binaries / "rnn"), folder, item)[0]} == json.loads(line)
    sweep = ["sweep", "sweep=basic", *training, "trials=1"]
    for words, code, said in (
        (sweep, 2, "give `rnn init` first"),
        (["init"], 0, "conf/ has the configuration"),
        (["init"], 2, "is there already"),
        (sweep, 0, "best of 1 complete trials"),
        (["repro"], 2, "in a clone of the repository"),
        (["reproduce", "adding/gru/1"], 2, "from a clone of the repository"),
    ):
        assert said in run(*words, code=code)


def served(program: str, run: Path, item: str) -> Any:
    """What ``rnn serve`` answers to a request of one item."""
    command = [program, "serve", f"run={run}", "port=0"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(command, cwd=run, stderr=subprocess.PIPE, text=True, env=kept) as process:
        assert process.stderr
        try:
            said = next(line for line in process.stderr if " answers by " in line)
            body, headers = json.dumps({"inputs": [item]}).encode(), {"Content-Type": "application/json"}
            with urlopen(Request(said.partition(" answers by ")[0], body, headers), timeout=60) as answer:
                return json.load(answer)["predictions"]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
