"""README.md and docs/: the Python runs, every link leads somewhere, and what is claimed is what is stored."""

import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from corpora import made, write_stream
from documents import PAGES, ROOT, anchors, blocks, links
from own_files import KINDS

from pipelines.results import read_results
from pipelines.settings.compose import CONF, compose
from pipelines.settings.grids import planned_runs
from rnn_lightning.files import read_json
from rnn_lightning.recurrent import CELLS

LANGUAGES = {"python", "sh", "yaml", "text"}
MOST_NOT_RUN = 3


def test_every_block_has_a_language_and_few_are_not_run() -> None:
    unknown = [str(block) for block in blocks() if block.language not in LANGUAGES]
    assert not unknown, f"blocks in none of {sorted(LANGUAGES)}: {unknown}"
    left_out = [f"{block}: {block.reason}" for block in blocks() if block.reason]
    assert len(left_out) <= MOST_NOT_RUN, left_out
    assert len(blocks("python")) >= 10 and len(blocks("sh")) >= 15


def run_python(page: str) -> dict[str, Any]:
    """The names that the Python blocks of a page leave."""
    names: dict[str, Any] = {"__name__": page}
    for block in blocks("python"):
        if block.page.name == page and not block.reason:
            exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)
    return names


def test_the_readme_trains_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    names = run_python("README.md")
    batch = names["collate"](names["rows"])
    answers = names["model"].classify(batch.inputs, batch.lengths)
    assert (answers == batch.targets).float().mean() > 0.9
    assert not names["model"].training and len(names["collate"](names["rows"][:4]).lengths) == 4


def test_the_page_on_use_runs_and_its_fit_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_python("use.md")
    assert names["outputs"].shape == (3, 50, 256)
    assert set(names["sizes"]) == {"elman", "gru", "lstm"}
    write_stream(tmp_path / "data", tokens=800)
    names["fit"]("data")
    assert (tmp_path / "work/mine/last.ckpt").exists()
    again = names["LanguageModel"].load_from_checkpoint("work/mine/best.ckpt", weights_only=True)
    assert again.vocab_size == 33_278


REST = sorted({block.page.name for block in blocks("python")} - {"README.md", "use.md", "laws.md"})


@pytest.mark.parametrize("page", REST)
def test_the_code_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if page == "own-data.md":
        for write in dict.fromkeys(kind[0] for kind in KINDS.values()):
            write(tmp_path)
        (tmp_path / "load.csv").write_text("load\n" + "".join(f"{row % 12 + row / 50}\n" for row in range(250)))
    with patch.dict(CELLS):  # a page may add one
        assert run_python(page)


def test_the_page_on_laws_names_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    from rnn_lightning.laws import LAWS

    run_python("laws.md")
    assert "Careless breaks 'garbage in the padding changes nothing'" in capsys.readouterr().out
    page = (ROOT / "docs/laws.md").read_text().lower()
    assert [law for law in LAWS if f"- {law}" not in page] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        if "://" not in link:
            file = (page.parent / target).resolve() if target else page
            assert file.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(file), f"{page.name} links to {link}, and there is no such heading"


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    readme = ROOT / "README.md"
    assert len(readme.read_text().splitlines()) <= 200
    assert {f"docs/{page.name}" for page in PAGES if page != readme} <= {*links(readme)}


@pytest.mark.parametrize(
    ("task", "reference", "sentence"),
    [
        ("nested", "perplexity_floor", "The floor, the exponential of the language's entropy rate, is {:.3f}."),
        ("foresight", "left_to_right_accuracy", "the best reader from left to right gets {:.3f} of the words right."),
    ],
)
def test_what_can_be_reached_is_what_the_data_say(task: str, reference: str, sentence: str, tmp_path: Path) -> None:
    corpus = compose([f"task={task}", "task.corpus.rows={train:20,validation:2,test:2}"]).task.corpus.build()
    card = read_json(made(corpus, tmp_path) / "processed/card.json")
    assert sentence.format(card["references"][reference]) in (ROOT / "docs/results.md").read_text()


def test_the_main_comparison_has_the_size_that_the_readme_says() -> None:
    planned = planned_runs(CONF, ["generated"])
    tasks, runs = {run.task for run in planned}, sum(run.seeds for run in planned)
    assert max(run.seconds for task in tasks for run in read_results(ROOT / "results" / f"{task}.json")) < 60
    readme, count = (ROOT / "README.md").read_text(), ["five", "six", "seven"][len(tasks) - 5]
    assert f"architectures on {count} generated tasks: {runs} trainings of less than a minute each" in readme


def test_the_files_of_a_run_are_those_that_the_stages_name() -> None:
    page = (ROOT / "docs/pipeline.md").read_text()
    table = page.partition("## What a run holds")[2].partition("\n\nA classifier")[0]
    files = re.findall(r"`(\w+\.\w+)`", table)
    code = "".join(file.read_text() for file in (ROOT / "pipelines").rglob("*.py"))
    assert len(files) >= 15 and [file for file in files if f'"{file}"' not in code] == []
