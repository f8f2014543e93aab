"""Bad command lines end in one line that names what came and what is allowed, with exit code 2."""

import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_commands import COMMANDS, SETTINGS, SYSTEMS

from pipelines.settings.compose import compose, exit_on_user_error, run_stage
from pipelines.training.keywords import check_system


def words(line: str) -> list[str]:
    """The words of a command line; braces keep theirs together."""
    made: list[str] = []
    for word in line.split():
        if made and made[-1].count("{") > made[-1].count("}"):
            made[-1] += f" {word}"
        else:
            made.append(word)
    return made


def refusal(capsys: pytest.CaptureFixture[str], act: Callable[[], object]) -> str:
    with pytest.raises(SystemExit) as ended:
        exit_on_user_error(lambda: act() and None)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1 and len(said) < 700, said
    return said


@pytest.mark.parametrize("line", SETTINGS)
def test_settings_that_no_stage_takes(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert SETTINGS[line] in refusal(capsys, lambda: compose(words(line)))


@pytest.mark.parametrize("line", SYSTEMS)
def test_settings_that_no_training_takes(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert SYSTEMS[line] in refusal(capsys, lambda: check_system(compose(words(line))))


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command, *arguments = words(line)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [command, *arguments])
    module = importlib.import_module(f"pipelines.{command}")
    assert COMMANDS[line] in refusal(capsys, lambda: START[command](module, arguments))
    assert not any(tmp_path.iterdir())


def stage(name: str) -> Callable[[Any, list[str]], None]:
    def start(module: Any, arguments: list[str]) -> None:
        getattr(module, name)(compose(arguments))

    return start


NAMED = ("sweep", "plan", "predict", "serve", "export", "share", "microscope")
START: dict[str, Callable[[Any, list[str]], None]] = {
    **{name: stage(name) for name in ("train", "evaluate")},
    **{name: (lambda module, arguments, name=name: getattr(module, name)(arguments)) for name in NAMED},
    **{name: (lambda module, arguments: module.main()) for name in ("repro", "reproduce")},
    "compare": lambda module, arguments: module.main(arguments),
}
"""By command, what ``python -m pipelines.NAME`` calls."""


GIVEN = {
    "task=adding seed=1 seed=2": "seed is given twice, 'seed=1' and 'seed=2': give it once",
    "task=adding seed=1 +seed=2": "seed is given twice",
    "task=adding task=copying": "task is given twice",
    "task=adding task.data.batch_size=big": "task.data.batch_size must be a whole number, not 'big'",
    "task=adding rnn.dropout=much": "rnn.dropout must be a number, not 'much'",
}
"""By words for any stage, what it says before it does anything."""


NO_CLUSTER = "task=adding engine=ray", "engine=ray is for preprocess and sweep: leave it out"


@pytest.mark.parametrize(
    ("stage", "line", "said"),
    [
        *((stage, *given) for stage in ("fetch", "preprocess", "train", "evaluate") for given in GIVEN.items()),
        *((stage, *NO_CLUSTER) for stage in ("fetch", "train", "evaluate")),
    ],
)
def test_every_stage_checks_all_settings_that_it_is_given(
    stage: str, line: str, said: str, tmp_path: Path, *, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [stage, *words(line)])
    module = importlib.import_module(f"pipelines.{stage}")
    with pytest.raises(SystemExit) as ended:
        run_stage(getattr(module, stage))
    assert ended.value.code == 2 and said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


HELPED = {
    "train": "task.training.epochs",
    "evaluate": "trainer.threads",
    "fetch": "task.corpus.KEY",
    "preprocess": "seed ",
    "sweep": "trials ",
    "predict": "beam_size",
    "serve": "max_bytes",
    "export": "torch_export",
    "share": "private",
    "microscope": "share",
    "compare": "task=nested task=mine",
    "plan": "settings",
    "repro": "generated",
    "grid": "conf/grid.yaml",
    "publish": "pipelines.publish",
    "digest": "FOLDER FILE.json",
    "results": "--check",
    "reproduce": "ewt/bilstm/1",
}


@pytest.mark.parametrize("command", HELPED)
def test_help_says_how_a_command_is_called(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does nothing, ends with 0, and names the module, an example and the keys."""
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    monkeypatch.delitem(sys.modules, f"pipelines.{command}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"pipelines.{command}", run_name="__main__", alter_sys=True)
        raise SystemExit(0)
    said = capsys.readouterr().out
    assert not ended.value.code and HELPED[command] in said and f"pipelines.{command}" in said, said
    assert max(map(len, said.splitlines())) < 700
