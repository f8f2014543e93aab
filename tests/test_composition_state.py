"""A composition is made once for the same files and words, and anew where a file, the words or the environment are others."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.settings import composition as composing
from pipelines.settings.compose import CONF
from pipelines.settings.composition import composed_task, composition

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


def test_what_a_file_of_ones_own_asks_for_is_asked_again(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (conf / "task/own.yaml").write_text('defaults: [dates, _self_]\ntitle: "${oc.env:OWN_TITLE} ${oc.env:${oc.env:OTHER}}"\n')
    for own, other in (("a", "b"), ("c", "b"), ("c", "d")):
        for variable, value in {"OWN_TITLE": own, "OTHER": "NAMED", "NAMED": other}.items():
            monkeypatch.setenv(variable, value)
        assert composition(conf, ["task=own", *WORDS[1:]]).values["task"]["title"] == f"{own} {other}"
        assert composed_task(conf, "own")["title"] == f"{own} {other}"
        title = composition(conf, [*WORDS, "task.title=${oc.env:OWN_TITLE}"]).values["task"]["title"]
        assert title == own


@pytest.mark.parametrize(
    "title",
    [
        "${oc.env:MY-VARIABLE}",
        "${oc.env:MY.VARIABLE,x}",
        "${${.description}:MY}",
        '"\\u0024{oc.env:MY}"',
        "${oc.env:${oc.env:NAME}}",
    ],
)
def test_what_is_read_in_any_other_way_is_asked_again(title: str, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (conf / "task/own.yaml").write_text(f"defaults: [dates, _self_]\ntitle: {title}\ndescription: oc.env\n")
    monkeypatch.setenv("NAME", "MY")
    for value in ("one", "two"):
        for variable in ("MY", "MY-VARIABLE", "MY.VARIABLE"):
            monkeypatch.setenv(variable, value)
        assert composition(conf, ["task=own", *WORDS[1:]]).values["task"]["title"] == value


@pytest.mark.parametrize(
    ("title", "variable"),
    [
        ("${oc.env:OUTER,${oc.env:INNER,z}}", "OUTER"),
        ("${oc.env:OUTER,${oc.env:INNER,z}}", "INNER"),
        ("${oc.env:A,${task.unit}}", "A"),
    ],
)
def test_a_variable_beside_another_is_asked_again(
    title: str, variable: str, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (conf / "task/own.yaml").write_text(f'defaults: [dates, _self_]\ntitle: "{title}"\n')
    for value in ("one", "two"):
        monkeypatch.setenv(variable, value)
        assert composition(conf, ["task=own", *WORDS[1:]]).values["task"]["title"] == value


def test_hidden_files_and_files_above_are_looked_at_again(conf: Path) -> None:
    (conf / "task/own.yaml").write_text("defaults: [dates, .base, _self_]\n")
    (conf / "task/other.yaml").write_text("defaults: [dates, ../../above@_here_, _self_]\n")
    for title in ("One", "Two"):
        for file in (conf / "task/.base.yaml", conf.parent / "above.yaml"):
            file.write_text(f"title: {title}\n")
        for task in ("own", "other"):
            assert composition(conf, [f"task={task}", *WORDS[1:]]).values["task"]["title"] == title


def test_a_neighbour_that_may_not_be_read_ends_nothing(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes

    def read(file: Path) -> bytes:
        if file.stem == "nested":
            raise PermissionError(13, "Permission denied", str(file))
        return real(file)

    (conf / "task/nested.yaml").touch()  # another state of the files, which nobody has asked for
    monkeypatch.setattr(Path, "read_bytes", read)
    assert composition(conf, WORDS).values["task"]["title"]


def test_links_are_followed_and_what_an_editor_leaves_is_no_file(conf: Path, tmp_path: Path, times: list[list[str]]) -> None:
    (conf / "task").rename(tmp_path / "elsewhere")
    (conf / "task").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/above").symlink_to(conf)
    (conf / "task/.#dates.yaml").symlink_to("somebody@host.1:2")
    file = tmp_path / "elsewhere/dates.yaml"
    text = file.read_text()
    for clip in ("1.5", "2.5"):
        file.write_text(re.sub(r"clip: [\d.]+", f"clip: {clip}", text))
        assert composition(conf, WORDS).values["task"]["training"]["clip"] == float(clip)
        assert composed_task(conf, "dates")["training"]["clip"] == float(clip)
    assert composition(conf, WORDS) and times == [WORDS, WORDS]
    with pytest.raises(ValueError, match="44 more"):
        composed_task(conf, ".#dates")


def test_an_edit_whose_time_of_change_is_set_back_is_seen(conf: Path) -> None:
    file = conf / "task/dates.yaml"
    for clip in ("1.5", "2.5"):
        file.write_text(re.sub(r"clip: [\d.]+", f"clip: {clip}", file.read_text()))
        os.utime(file, ns=(0, 0))
        assert composition(conf, WORDS).values["task"]["training"]["clip"] == float(clip)


def test_a_configuration_without_tasks_says_so_and_what_to_do(conf: Path) -> None:
    shutil.rmtree(conf / "task")
    said = r"^conf/task has no file NAME.yaml to choose: take it from git again, or, where .* let `rnn init` make it$"
    for words in (["task=adding", "rnn=gru"], ["rnn=gru"]):
        with pytest.raises(ValueError, match=said):
            composition(conf, words)
    with pytest.raises(ValueError, match=r"^task cannot be 'adding': there is none at all"):
        composed_task(conf, "adding")
