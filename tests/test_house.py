"""The rules of the house that a machine can hold about the map, conf/ and the machine that files were written on."""

import ast
import inspect
import re

import pytest
import yaml
from house import ROOT, none, python_files, tracked, tree_of

from pipelines.results import documentation
from rnn_lightning.recurrent import CELLS, build_network


def test_every_module_has_a_docstring_for_the_map() -> None:
    code = [path for path in python_files("src", "pipelines", "benchmarks") if (ROOT / path).stat().st_size]
    none(
        f"{path} has no docstring, of which the map takes the first line"
        for path in code
        if not ast.get_docstring(tree_of(path))
    )


def test_the_map_is_up_to_date() -> None:
    page = ROOT / "docs/map.md"
    text = page.read_text(encoding="utf-8")
    assert documentation(ROOT).render(page, text) == text, "docs/map.md is not up to date: run `python -m pipelines.results`"


def test_the_map_is_of_every_folder_with_code_or_settings() -> None:
    listed = re.findall(r"^<!-- map:(.+) -->$", (ROOT / "docs/map.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == ["src/rnn_lightning", "pipelines", "conf", "benchmarks"]


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
