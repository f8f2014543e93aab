"""The rules of the house that a machine can hold about the map, conf/ and the machine that files were written on."""

import inspect
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from house import ROOT, none, python_files, tracked

from rnn_lightning.recurrent import CELLS, build_network


def the_map() -> list[str]:
    """What the README's section "map" names: files, folders (with a last slash) and patterns.

    A pattern in angle brackets, ``<task>-<rnn>.yaml``, names files that are yet to be made.
    """
    readme = ROOT / "README.md"
    assert readme.exists(), "there is no README.md, and so no map of the files"
    section = re.search(r"^(#+) [^\n]*\bmap\b[^\n]*$(.*?)(?=^#{1,2} |\Z)", readme.read_text("utf-8"), re.I | re.M | re.S)
    assert section, "README.md has no section whose title has the word map"
    return re.findall(r"[\w*<>./-]*[\w*>]\.(?:py|yaml)\b|[\w.-]+(?:/[\w.-]+)*/", section[2])


def names(entry: str, path: str) -> bool:
    """Whether an entry of the map, a path or the end of one, stands for the file."""
    if entry.endswith("/"):
        return path.endswith(".yaml") and f"/{Path(path).parent}/".endswith(f"/{entry}")
    return fnmatch(f"/{path}", f"*/{re.sub('<[^>]*>', '*', entry)}")


def test_the_map_names_every_file() -> None:
    files = [*python_files("src", "pipelines", "benchmarks"), *tracked("conf/*.yaml")]
    none(f"the map does not name {path}" for path in files if not any(names(entry, path) for entry in the_map()))


def test_the_map_names_no_file_that_is_not_there() -> None:
    files = [path for path in tracked() if path.endswith((".py", ".yaml"))]
    entries = [entry for entry in the_map() if not entry.endswith("/") and "<" not in entry]
    missing = [entry for entry in entries if not any(names(entry, path) for path in files)]
    assert not missing, f"the README's map names what is not there: {missing}"


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    for path in tracked():
        text = (ROOT / path).read_bytes().decode("utf-8", errors="replace")
        found = re.search(r"(?<![\w.:/<-])/(?:home|root|work|Users)/\w[^\s\"']*", text)
        assert not found, f"{path} names {found[0]}"


def test_there_is_a_network_and_a_task_to_choose() -> None:
    assert tracked("conf/rnn/*.yaml"), "conf/rnn holds no network"
    assert tracked("conf/task/*.yaml"), "conf/task holds no task"


@pytest.mark.parametrize("path", tracked("conf/rnn/*.yaml"))
def test_a_network_of_conf_is_made_of_keywords_of_build_network(path: str) -> None:
    settings = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    unknown = set(settings) - set(inspect.signature(build_network).parameters)
    assert not unknown, f"{path} sets {sorted(unknown)}, which build_network does not take"
    assert settings["cell"] in CELLS, f"{path} asks for the cell {settings['cell']!r}"


@pytest.mark.parametrize("path", tracked("conf/task/*.yaml"))
def test_a_task_of_conf_says_what_it_is(path: str) -> None:
    missing = {"title", "description", "metric"} - set(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))
    assert not missing, f"{path} lacks {sorted(missing)}"
