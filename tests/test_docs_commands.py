"""The shell blocks of README.md and docs/: bash makes the calls of each, which the commands take as they are pasted."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from commands import PROGRAMS, check_python
from documents import ROOT, Block, Call, blocks, calls_of
from dvc.cli import DvcParserError

from pipelines.fetch import fetch
from pipelines.preprocess import preprocess
from pipelines.settings.compose import CONF, compose

EXISTING = ("test.de", "one.wav", "next.csv", ".venv/bin/activate")
"""Files that a reader of the pages has."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("desk")
    for name in EXISTING:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture(scope="module", autouse=True)
def conf_with_the_tasks_of_the_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """``conf/`` with the task files that the pages show."""
    from pipelines.settings import compose as composing

    folder = tmp_path_factory.mktemp("project") / "conf"
    shutil.copytree(CONF, folder)
    for block in blocks("yaml"):
        named = re.match(r"# (conf/task/\w+\.yaml)\n", block.text)
        if named:
            (folder.parent / named[1]).write_text(block.text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composing, "CONF", folder)
        yield


@pytest.mark.parametrize("block", [block for block in blocks("sh") if not block.reason], ids=str)
def test_a_shell_block_is_what_the_commands_take(block: Block, desk: Path) -> None:
    calls = calls_of(block.text, desk, list(PROGRAMS))
    assert calls, f"{block} starts nothing"
    for program, arguments in calls:
        try:
            PROGRAMS[program](arguments)
        except (AssertionError, ValueError, KeyError, DvcParserError, subprocess.CalledProcessError) as error:
            pytest.fail(f"{block}: {program} {' '.join(arguments)}: {error!r}")


def test_a_line_end_in_quotes_is_seen(desk: Path) -> None:
    """A backslash at the end of a line within single quotes is part of the argument, which Hydra refuses."""
    broken = "python -m pipelines.fetch task=nested '+task.corpus={a: 1, \\\n  b: 2}'\n"
    (call,) = calls_of(broken, desk, ["python"])
    assert call == Call("python", ["-m", "pipelines.fetch", "task=nested", "+task.corpus={a: 1, \\\n  b: 2}"])
    with pytest.raises(ValueError):
        check_python(call.arguments)


WRONG = {
    "make nothing": subprocess.CalledProcessError,
    "make repro GRID=nothing": AssertionError,
    "dvc repro train@nothing": AssertionError,
    "dvc repro --nothing": DvcParserError,
    "python -m pipelines.nothing": AssertionError,
    "python -m pipelines.train task=nested rnn=nothing": ValueError,
    "rnn nothing": AssertionError,
    "rnn train task=nested rnn=nothing": ValueError,
    "python -m pipelines.predict run=runs/nested/lstm": ValueError,
    "python -m pipelines.reproduce nested/lstm/99": ValueError,
    "pip install -e '.[nothing]'": AssertionError,
    "rnn serve run=runs/nested/lstm/1 prot=1": ValueError,
    """curl -s http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d '{"input": []}'""": ValueError,
    """curl -s http://127.0.0.1:5001/invocations -d '{"inputs": []}'""": KeyError,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_command_is_seen(wrong: str, desk: Path) -> None:
    (call,) = calls_of(wrong, desk, list(PROGRAMS))
    with pytest.raises(WRONG[wrong]):
        PROGRAMS[call.program](call.arguments)


def test_a_program_that_no_page_may_start_is_seen(desk: Path) -> None:
    with pytest.raises(AssertionError, match="nothing_of_that_name"):
        calls_of("nothing_of_that_name 1", desk, list(PROGRAMS))


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_task_file_composes(block: Block) -> None:
    named = re.match(r"# conf/task/(\w+)\.yaml\n", block.text)
    assert named, f"{block} does not begin with the file that it is"
    assert compose([f"task={named[1]}"]).task.title == yaml.safe_load(block.text)["title"]


def test_the_first_stages_of_the_readme_really_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks("sh") if block.page.name == "README.md" and "rnn fetch" in block.text]
    first = calls_of(block.text, desk, list(PROGRAMS))[1:3]
    for stage, call in zip((fetch, preprocess), first, strict=True):
        assert call.arguments[0] == stage.__name__
        stage(compose(call.arguments[1:]))
    assert (tmp_path / "data/processed/nested/card.json").exists()


def test_make_lists_every_target_of_the_pages(desk: Path) -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    calls = [call for block in blocks("sh") for call in calls_of(block.text, desk, list(PROGRAMS))]
    targets = {call.arguments[0] for call in calls if call.program == "make"}
    assert targets and targets <= {line.split()[0] for line in listed.splitlines()}
