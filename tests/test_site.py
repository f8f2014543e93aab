"""The site of the documentation: pages that are made of other files, their links, and what its search finds."""

import json
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest
from documents import CODE_WORDS, ROOT

from pipelines.documenting.site import LINK, pages, with_links
from pipelines.results import documentation
from pipelines.settings.tasks import task_names

SOUGHT = ("confusion matrix", "inference", "custom dataset", "fine-tuning", "checkpoint", "input gate", "teacher forcing")
"""Words of the field that a person looks for."""


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages(documentation(ROOT))


def test_every_task_has_a_page_with_its_stored_results(made: dict[str, str]) -> None:
    for name in task_names(ROOT / "conf"):
        page = made[f"tasks/{name}.md"]
        assert f"rnn train task={name} rnn=" in page and (ROOT / f"conf/task/{name}.yaml").read_text() in page
        assert f"[{name}]({name}.md)" in made["tasks/index.md"]
    results = (ROOT / "docs/results.md").read_text()
    (row,) = re.findall(r"^\| BiLSTM \|.*$", made["tasks/ewt.md"], re.MULTILINE)
    assert row in results


def test_links_of_made_pages_lead_to_pages_of_the_site(made: dict[str, str]) -> None:
    there = {*made, *(page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.*"))}
    for name, text in made.items():
        targets = {
            link["target"].partition("#")[0] for link in LINK.finditer(re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
        }
        for target in targets - {""}:
            place = (Path("/") / Path(name).parent / target).resolve().relative_to("/").as_posix()
            assert "://" in target or place in there, f"{name} links to {target}"


@pytest.mark.parametrize(
    ("text", "folder", "moved"),
    [
        ("[a](docs/use.md#tagging)", "", "[a](use.md#tagging)"),
        ("[a](../README.md) and [b](#here)", "docs", "[a](index.md) and [b](#here)"),
        ("![p](pictures/generated.png)", "docs", "![p](pictures/generated.png)"),
        ("[t](../conf/task/ewt.yaml), [c](../src/rnn_lightning/crf/__init__.py)", "docs", "[t](tasks/ewt.md), c"),
        ("[a](https://arxiv.org)\n```sh\n[x](y)\n```", "docs", "[a](https://arxiv.org)\n```sh\n[x](y)\n```"),
    ],
)
def test_links_are_moved_as_the_pages_are(text: str, folder: str, moved: str) -> None:
    assert with_links(text, folder, ROOT) == moved


def test_the_code_of_every_equation_is_there() -> None:
    named = CODE_WORDS.findall((ROOT / "docs/equations.md").read_text())
    places = [word for word in named if "." in word and "/" not in word and not word.startswith(("training.", "rnn "))]
    assert len(places) >= 19
    for place in places:
        assert resolve_name(f"rnn_lightning.{place}"), place


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_found_in(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    indexed = json.loads((tmp_path / "search/search_index.json").read_text())["docs"]
    text = " ".join(f"{part['title']} {part['text']}" for part in indexed).lower()
    assert [words for words in SOUGHT if words not in text] == []
    assert (tmp_path / "api/systems/index.html").read_text().count("rnn_lightning.systems.Tagger") > 1
