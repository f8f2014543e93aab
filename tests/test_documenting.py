"""What pages of documentation are given: tables, headlines, pictures and maps, each of what is stored and of nothing else."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from run_folders import make_run, make_task

from pipelines.comparing.summary import NONE
from pipelines.documenting import modules
from pipelines.results import documentation, results, stale


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks with stored results, one of which is judged by a metric that is better the higher it is."""
    folder = tmp_path_factory.mktemp("project")
    for task, title in (("words", "Made-up text"), ("letters", "Made-up letters")):
        make_task(folder, task, title)
        for rnn, seed in (("lstm", 1), ("lstm", 2), ("gru", 1)):
            make_run(folder, task, rnn, seed, {"test/loss": 2.0 + seed / 10 + len(rnn)})
    file = folder / "conf/task/letters.yaml"
    file.write_text(file.read_text().replace("mode: min", "mode: max"))
    (folder / "README.md").write_text("# Title\n")
    (folder / "docs").mkdir()
    results([], root=folder)
    return folder


def render(project: Path, block: str, page: str = "README.md") -> list[str]:
    """The lines that are written into a block of a page, what was there being none of them."""
    kind = block.partition(":")[0]
    text = documentation(project).render(project / page, f"before\n<!-- {block} -->\nold\n<!-- /{kind} -->\nafter\n")
    first, begin, *lines, end, last = text.splitlines()
    assert (first, begin, end, last) == ("before", f"<!-- {block} -->", f"<!-- /{kind} -->", "after")
    return lines


def test_headlines_have_the_best_and_the_worst_by_the_direction_of_the_metric(project: Path) -> None:
    assert render(project, "headlines:words letters") == [
        "| task | metric | best | worst | seeds | reference |",
        "| :-- | :-- | :-- | :-- | --: | :-- |",
        "| Made-up text | loss ↓ | GRU **5.10** | LSTM 6.15 ± 0.64 | 1 to 2 | guessing: 4.600 |",
        "| Made-up letters | loss ↑ | LSTM **6.15 ± 0.64** | GRU 5.10 | 1 to 2 | guessing: 4.600 |",
    ]


def test_headlines_leave_out_runs_of_other_settings_than_the_files(tmp_path: Path) -> None:
    make_task(tmp_path, "words")
    make_run(tmp_path, "words", "lstm", 1, {"test/loss": 2.0})
    make_run(tmp_path, "words", "gru", 1, {"test/loss": 1.0}, name="tried").parent.rename(tmp_path / "runs/words/gru-tried")
    (tmp_path / "README.md").write_text("")
    results(["words/gru-tried"], root=tmp_path)
    assert "GRU" in "".join(render(tmp_path, "results:words"))
    assert "GRU" not in "".join(render(tmp_path, "headlines:words"))
    shutil.rmtree(tmp_path / "runs/words/lstm")
    (tmp_path / "results/words.json").unlink()
    results(["words/gru-tried"], root=tmp_path)
    assert "GRU **1.000**" in render(tmp_path, "headlines:words")[-1], "of a task that has no other runs"


def test_a_task_alone_has_no_worst(project: Path, tmp_path: Path) -> None:
    make_task(tmp_path, "words")
    make_run(tmp_path, "words", "lstm", 1, {"test/loss": 2.0})
    (tmp_path / "README.md").write_text("")
    results([], root=tmp_path)
    assert (
        render(tmp_path, "headlines:words")[-1] == f"| Made-up text | loss ↓ | LSTM **2.000** | {NONE} | 1 | guessing: 4.600 |"
    )


def test_what_is_learned_has_a_column_for_each_task_and_a_dash_where_there_is_no_run(project: Path) -> None:
    assert render(project, "learned:words letters") == [
        "| architecture | Made-up text, loss (guessing: 4.6) | Made-up letters, loss (guessing: 4.6) |",
        "| :-- | --: | --: |",
        f"| GRU | 5.10 ± {NONE} | 5.10 ± {NONE} |",
        "| LSTM | 6.15 ± 0.64 | 6.15 ± 0.64 |",
    ]


def test_cells_have_a_line_each_of_what_was_measured(project: Path) -> None:
    costs = [{"steps": 5, "rows": 2, "units": 8, "milliseconds": 1.0, "cost": cost} for cost in (0.5, 12.345)]
    known = {"width": 128, "state": 1024, "parameters": 16512, "costs": costs}
    rows = [
        {"cell": "gru", "label": "GRU", "source": "Cho et al. 2014", **known},
        {"cell": "own", "label": "Own", "source": ""},
    ]
    (project / "measured.json").write_text(json.dumps({"cells": [rows[0], {**rows[1], **known}]}))
    heading, _, gru, last = render(project, "cells:measured.json")
    assert heading.endswith("| parameters, F = H = 128 | cost at 5 steps, 2 rows, H = 8 | cost at 5 steps, 2 rows, H = 8 |")
    assert gru == "| `gru` | GRU | Cho et al. 2014 | 1,024 | 16,512 | 0.50 | 12.35 |"
    assert last.startswith(f"| `own` | Own | {NONE} |")
    with pytest.raises(ValueError, match=r"cells of other\.json, which does not exist: python -m benchmarks\.cells writes it"):
        render(project, "cells:other.json")


def test_a_picture_is_linked_from_where_the_page_is(project: Path) -> None:
    (top,) = render(project, "picture:both words letters")
    (below,) = render(project, "picture:both words letters", "docs/results.md")
    words = "Test metric of each architecture with its 95% interval: Made-up text; Made-up letters"
    assert top == f"![{words}](docs/pictures/both.png)"
    assert below == f"![{words}](pictures/both.png)"


def test_a_picture_is_drawn_once_and_again_where_the_results_are_others(project: Path) -> None:
    page, file = project / "docs/page.md", project / "docs/pictures/both.png"
    page.write_text("<!-- picture:both words letters -->\n<!-- /picture -->\n")
    assert stale(project) == ["docs/page.md", "docs/pictures/both.png"]
    results([], root=project)
    assert stale(project) == []
    with Image.open(file) as image:
        assert image.width > 2 * image.height
    drawn = file.stat().st_mtime_ns
    results([], root=project)
    assert file.stat().st_mtime_ns == drawn
    stored = project / "results/words.json"
    before = stored.read_text()
    by_hand = re.sub(r'.*"sha256".*\n', "", before)
    stored.write_text(by_hand.replace('"test/loss": 6.1', '"test/loss": 6.2'))
    assert stale(project) == ["docs/pictures/both.png"]
    stored.write_text(before)
    whole = file.read_bytes()
    for torn in (b"", whole[:100], whole[: len(whole) // 2]):
        file.write_bytes(torn)
        assert stale(project) == ["docs/pictures/both.png"]
    results([], root=project)
    assert file.read_bytes() == whole
    page.unlink()


def test_a_block_of_what_is_not_there_is_refused(project: Path) -> None:
    with pytest.raises(ValueError, match=r"task must be one of letters, words, not 'numbers'"):
        render(project, "headlines:numbers")
    with pytest.raises(ValueError, match="nowhere has no modules to list"):
        render(project, "map:nowhere")


@pytest.mark.parametrize("contents", [b"- 1\n", b"a: [1\n", b"\xe9: 1\n", b"5"])
def test_settings_that_are_none_are_named(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "some.yaml").write_bytes(contents)
    with pytest.raises(
        ValueError, match=r"some\.yaml(:1 is not UTF-8| is no file of YAML: | must have settings, KEY: VALUE, not )"
    ):
        modules.module_list(tmp_path)


def test_a_map_lists_files_before_folders_with_the_first_line_of_each(tmp_path: Path) -> None:
    texts = {
        "__init__.py": '"""Of the folder itself, which stands above the list."""',
        "late.py": '"""What ``late`` is.\n\nAnd more."""',
        "room/__init__.py": '"""A room."""',
        "room/inner.py": "",
        "conf/task.yaml": "# A comment\ntitle: A task\n",
        "conf/grid.yaml": "# @package _global_\n# Which runs there are.\na: 1\n",
        "conf/rnn/lstm.yaml": "cell: lstm\nbidirectional: true\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert modules.module_list(tmp_path).splitlines() == [
        "- `late.py`: What `late` is.",
        "- `conf/`",
        "  - `grid.yaml`: Which runs there are.",
        "  - `task.yaml`: A task",
        "  - `rnn/`",
        "    - `lstm.yaml`: cell: lstm, bidirectional: true",
        "- `room/`: A room.",
        "  - `inner.py`",
    ]
