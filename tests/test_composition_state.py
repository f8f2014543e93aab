"""A composition is made once for the same files and words, and anew where a file, the words or the environment are others."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.settings import composition as composing
from pipelines.settings.compose import CONF
from pipelines.settings.composition import ENVIRONMENT, composed_task, composition

WORDS = ["task=dates", "rnn=gru", "tuned=none"]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONF, tmp_path / "conf"))


@pytest.fixture(autouse=True)
def times(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """The words of what is really composed."""
    made: list[list[str]] = []
    real = composing._compose
    monkeypatch.setattr(composing, "_compose", lambda conf, words: made.append(list(words)) or real(conf, words))
    yield made


def test_the_same_is_composed_once_and_belongs_to_who_asked(conf: Path, times: list[list[str]]) -> None:
    first = composition(conf, WORDS)
    first.values["task"]["training"]["clip"] = -1
    assert composition(conf, WORDS).values["task"]["training"]["clip"] > 0 and times == [WORDS]
    assert composition(conf, [*WORDS, "task.training.clip=3"]).values["task"]["training"]["clip"] == 3


def test_a_changed_added_or_removed_file_is_read_again(conf: Path, times: list[list[str]]) -> None:
    composition(conf, WORDS)
    file = conf / "task/dates.yaml"
    text = file.read_text()
    changed = re.sub(r"clip: [\d.]+", "clip: 9.0", text)
    assert changed != text
    for new in (changed, text):
        file.write_text(new)
        assert composition(conf, WORDS).values["task"]["training"]["clip"] == (9.0 if new == changed else 1.0)
    assert composed_task(conf, "dates")["training"]["clip"] == 1.0
    file.write_text(changed)
    assert composed_task(conf, "dates")["training"]["clip"] == 9.0
    file.unlink()
    with pytest.raises(ValueError, match="task must be one of"):
        composition(conf, WORDS)


def test_the_environment_decides_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (2, 5):
        monkeypatch.setenv("SEEDS_AT_ONCE", str(count))
        assert composition(CONF, WORDS).values["workers"] == count


def test_all_variables_that_the_files_read_are_known() -> None:
    read = {name for file in CONF.rglob("*.yaml") for name in re.findall(r"oc\.env:(\w+)", file.read_text())}
    assert read == set(ENVIRONMENT)


def test_a_configuration_without_tasks_says_so_and_what_to_do(conf: Path) -> None:
    shutil.rmtree(conf / "task")
    said = r"^conf/task has no file NAME.yaml to choose: take it from git again, or, where .* let `rnn init` make it$"
    for words in (["task=adding", "rnn=gru"], ["rnn=gru"]):
        with pytest.raises(ValueError, match=said):
            composition(conf, words)
    with pytest.raises(ValueError, match=r"^task cannot be 'adding': there is none at all"):
        composed_task(conf, "adding")
