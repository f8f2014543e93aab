"""The page on cells names every cell, and what its table says of each is what it is."""

import re
from typing import Any

import pytest
from documents import CODE_WORDS, ROOT

from benchmarks.cells import SHAPES, described
from rnn_lightning.files import read_json
from rnn_lightning.recurrent import CELLS

ROWS: list[dict[str, Any]] = read_json(ROOT / "benchmarks/cells.json")["cells"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_what_the_stored_measurement_says_of_it(cell: str) -> None:
    row = next((dict(row) for row in ROWS if row["cell"] == cell), None)
    assert row is not None, f"{cell} is not measured: run benchmarks.cells and pipelines.results"
    costs = row.pop("costs")
    assert row | {"backend": ""} == described(cell) | {"backend": ""}, "python -m benchmarks.cells writes it anew"
    assert [(each["steps"], each["rows"], each["units"]) for each in costs] == SHAPES
    assert all(each["milliseconds"] > 0 and each["cost"] > 0 for each in costs)
    source = row["source"] or cell == "feedforward"
    assert source, f"the docstring of {cell} names no paper: (AUTHOR YEAR) in its first line"


def test_each_cell_is_on_the_page_and_no_other() -> None:
    page = (ROOT / "docs/cells.md").read_text()
    advice = page[page.index("## Where to begin") : page.index("## What they learn")]
    named = {word for word in CODE_WORDS.findall(advice) if re.fullmatch(r"[a-z_0-9]+", word)}
    assert named <= set(CELLS) and {row["cell"] for row in ROWS} == set(CELLS)


@pytest.mark.parametrize(
    ("task", "metric", "low", "high"),
    [
        ("parity", "test/accuracy", {"lru", "mingru"}, {"lstm", "gru", "janet"}),
        ("adding", "test/loss", {"gru", "lstm", "janet"}, {"elman", "lru"}),
        ("copying", "test/loss", {"gru", "layernorm_lstm"}, {"elman"}),
    ],
)
def test_what_the_page_says_was_learned_is_what_was_stored(task: str, metric: str, low: set[str], high: set[str]) -> None:
    """Between the two lies the middle of what guessing and all there is to learn reach."""
    middle = {"parity": 0.75, "adding": 0.16667 / 2, "copying": 2.0794 / 2}[task]
    runs = read_json(ROOT / f"results/{task}.json")["runs"]
    assert {run["rnn"] for run in runs} >= low | high
    for run in runs:
        assert run["rnn"] not in low or run["metrics"][metric] < middle
        assert run["rnn"] not in high or run["metrics"][metric] > middle


def losses(task: str) -> dict[str, list[float]]:
    """By architecture as it is in the files, the test losses of its stored seeds."""
    found: dict[str, list[float]] = {}
    for run in read_json(ROOT / f"results/{task}.json")["runs"]:
        if not run.get("name"):
            found.setdefault(run["rnn"], []).append(run["metrics"]["test/loss"])
    return found


def test_the_order_that_results_tell_is_the_stored_one() -> None:
    text = {name: sum(values) / len(values) for name, values in losses("shakespeare").items()}
    assert text["layernorm_lstm"] < text["slstm"] < text["gru"]
    assert min(text[name] for name in ("lru", "sru", "mingru", "minlstm", "mlstm")) > text["elman"]
    runs = read_json(ROOT / "results/shakespeare.json")["runs"]
    assert [run["metrics"]["test/loss"] > text["mlstm"] for run in runs if run["rnn"] == "mlstm_block"] == [True]
    for task in ("adding_400", "adding_1000"):
        adding = losses(task)
        assert max(*adding["gru"], *adding["lstm_chrono"]) < 0.001 and min(adding["lstm"]) > 0.16
    recall = losses("recall")
    assert max(recall["lru"]) < 0.1 and all(max(recall[name]) > 0.3 for name in ("gru", "lstm", "mingru"))
    assert min(*recall["mlstm"], *recall["elman"]) > 0.5 and max(recall["mlstm_block"]) < 0.02
    assert [loss < 0.01 for loss in recall["mingru_block"]].count(True) == 2
