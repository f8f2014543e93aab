"""The benchmark of the ways of answering: what it takes for equal, and what it asks; what pages say of stored figures."""

import json
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT

from benchmarks.agreement import TOLERANCE, compare, compared, read, row_of
from benchmarks.raw_items import Item, of_file, some
from pipelines.documenting.measured import TABLES, measured
from rnn_lightning.files import read_json

ANSWER = {"text": "a b", "score": -3.0, "n_best": [{"text": "a b", "score": -3.0}, {"text": "b a", "score": -250.0}]}


def changed(path: list[Any], value: Any) -> Any:
    """A copy of the answer with another value at a path."""
    copy = json.loads(json.dumps(ANSWER))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


EQUAL = [(["score"], -3.0 - 0.9 * 3 * TOLERANCE), (["n_best", 1, "score"], -250 - 0.9 * 250 * TOLERANCE)]
DIFFERENT = [
    (["text"], "a c", "text"),
    (["score"], -3 - 1.1 * 3 * TOLERANCE, "score"),
    (["score"], float("nan"), "score"),
    (["score"], None, "score"),
    (["score"], True, "score"),
    (["n_best"], ANSWER["n_best"][:1], "n_best"),
    (["n_best"], ANSWER["n_best"][::-1], "n_best[0].text"),
    (["more"], 1, "the whole"),
]


@pytest.mark.parametrize("path, value", EQUAL)
def test_numbers_may_differ_by_rounding(path: list[Any], value: float) -> None:
    gap, where = compare(ANSWER, changed(path, value))
    assert where is None and gap == pytest.approx(0.9 * TOLERANCE, rel=1e-6)


@pytest.mark.parametrize("path, value, place", DIFFERENT)
def test_every_other_difference_is_seen_and_named(path: list[Any], value: Any, place: str) -> None:
    assert compare(ANSWER, changed(path, value)).where == place
    assert compare(changed(path, value), ANSWER).where == place


def test_text_that_is_numbers_in_digits_may_be_rounded_the_other_way_and_no_other() -> None:
    one, other = {"text": "0.100001", "value": 0.1000005}, {"text": "0.1", "value": 0.1000004}
    assert compared("regression", one, other).where is None
    assert compared("recognition", one, other).where == "text"
    assert compared("regression", one, {"text": "0.100001", "value": 0.2}).where == "value"


def test_answers_that_flip_are_counted_and_shown() -> None:
    items = [Item(line, line, line) for line in ("first", "second", "third")]
    flipped = [ANSWER, changed(["text"], "b"), changed(["score"], -3.00001)]
    row = row_of("translation", {"beam_size": 2}, items, {"python": [ANSWER] * 3, "command": [ANSWER] * 3, "export": flipped})
    assert (row["items"], row["equal_in_all"]) == (3, 2)
    assert row["equal"] == {"command": 3, "export": 2} and row["identical"] == {"command": 3, "export": 1}
    assert row["first_that_differ"] == [
        {"way": "export", "item": "second", "where": "text", "python": ANSWER, "export": flipped[1]}
    ]


def test_an_answer_is_json_of_finite_numbers() -> None:
    assert read(json.dumps(ANSWER)) == read(json.dumps(ANSWER).encode()) == ANSWER
    for number in (float("inf"), float("-inf"), float("nan")):
        with pytest.raises(ValueError, match="is no value of JSON"):
            read(json.dumps({"score": number}))


def test_items_are_taken_at_equal_distances_and_files_as_each_way_takes_them(tmp_path: Path) -> None:
    assert some(range(5), 9) == [0, 1, 2, 3, 4] and some(range(1000), 5) == [0, 250, 500, 749, 999]
    item = of_file(b"RIFF", tmp_path / "one")
    assert item == (b"RIFF", str(tmp_path / "one"), "UklGRg==") and (tmp_path / "one").read_bytes() == b"RIFF"


def test_a_page_shows_what_was_measured_and_refuses_what_was_not(tmp_path: Path) -> None:
    for name in TABLES:
        with pytest.raises(ValueError, match=f"a page shows {name}, which must be one of agreement, memory, measured by"):
            measured(tmp_path, name)
    for name in TABLES:
        assert f"<!-- measured:{name} -->\n{measured(ROOT, name)}\n<!-- /measured -->" in pages()


def pages() -> str:
    return "".join((ROOT / "docs" / name).read_text() for name in ("export.md", "results.md"))


def test_the_four_ways_agree_on_every_kind_of_run() -> None:
    stored = read_json(ROOT / "benchmarks/agreement.json")
    kinds = {run["kind"] for run in stored["runs"].values()}
    assert kinds == {"classification", "forecasts", "frames", "language", "recognition", "regression", "tagging"} | {
        *("transcription", "translation", "values")
    }
    for name, run in stored["runs"].items():
        for row in run["rows"]:
            assert row["equal_in_all"] == row["items"] >= 150, name
            assert max(row["largest_difference"].values()) <= stored["tolerance"] == TOLERANCE


def test_what_the_page_says_of_memory_is_what_was_seen() -> None:
    runs = {
        (run["task"], run["run"].split("/")[2].split("-")[0]): run for run in read_json(ROOT / "benchmarks/memory.json")["runs"]
    }
    horizons = {name: run["horizon"] for name, run in runs.items()}
    gated = ("lstm", "gru", "layernorm_lstm")
    elman = runs["adding", "elman"]
    assert elman["horizon"] == 1 and all(share < 0.1 for share in elman["gradient"].values())
    assert elman["metrics"]["test/loss"] > 0.15 and all(runs["adding", cell]["metrics"]["test/loss"] < 0.01 for cell in gated)
    assert all(horizons["adding", cell] == runs["adding", cell]["steps"] == 50 for cell in gated)
    assert runs["adding", "gru"]["gates"]["update"]["above"] == pytest.approx(0.5, abs=0.05)
    assert all(runs["adding", cell]["gates"]["forget"]["below"] < 0.01 for cell in gated if cell != "gru")
    of_text = {cell: run for (task, cell), run in runs.items() if task == "shakespeare"}
    assert min(of_text[cell]["horizon"] for cell in ("gru", "layernorm_lstm")) > 64 / 2
    assert sorted(of_text, key=lambda cell: of_text[cell]["metrics"]["test/loss"])[:2] == ["layernorm_lstm", "gru"]
    assert min(of_text, key=lambda cell: of_text[cell]["horizon"]) == "lstm"
    assert of_text["elman"]["horizon"] > of_text["lstm"]["horizon"]
    assert sum(of_text["lstm"]["gates"]["forget"].values()) > 0.5
    for (_, cell), run in runs.items():
        assert run["singular_values"][0] > 1 and run["clipped_share"] == (cell == "elman")


def test_the_callback_takes_at_most_3_percent_of_a_training() -> None:
    cases = read_json(ROOT / "benchmarks/microscope.json")["cases"]
    assert len(cases) == 8 and all(case["share_of_training"] <= 0.03 for case in cases.values())
