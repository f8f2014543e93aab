"""Rows of local files that would be read as something else than is meant: each is refused in one line that names the row."""

import re
from pathlib import Path
from typing import Any

import pytest
from own_files import HELD, KINDS, fetched, write_series

from rnn_lightning.corpora import SPLITS

Words = dict[str, Any]

TEXTS: Words = {"files": "reviews.csv", "text": "body", "label": "stars", **HELD}
SERIES: Words = {"files": "series.csv", "series": "id", "sequence": ["x", "y"], "label": "kind", **HELD}
NUMBERS: Words = {**SERIES, "label": None, "value": "weight"}
STARS = "".join(f"text {row},{row % 3 + 1}\n" for row in range(30))
SCORES = "".join(f"text {row},{row % 2}\n" for row in range(40))
QUOTE = 'has a cell that begins with a quote and does not end with one; write "" for a quote inside'
FEW: Words = {"classes": ["bad", "good"], "held_out": None, "files": dict.fromkeys(SPLITS, "reviews.csv")}


def refusal(place: Path, corpus: str, settings: Words) -> str:
    """What is said of the files; nothing is left of them."""
    with pytest.raises(ValueError) as raised:
        fetched(corpus, **settings)
    assert "\n" not in str(raised.value) and not (place / "processed").exists()
    return str(raised.value)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("row", "settings", "said"),
    [
        (",1,2,a,2", SERIES, "names no series: fill its id in, or take the row out"),
        ("4,1,2,b,0.4", SERIES, "has 'b', but series 4 has 'a' before: give it one"),
        ("4,1,2,a,0.5", NUMBERS, "has 0.5, but series 4 has 0.4 before: give it one"),
    ],
)
def test_a_step_belongs_to_one_series_of_one_answer(row: str, settings: Words, said: str, place: Path) -> None:
    write_series(place)
    with (place / "series.csv").open("a") as file:
        file.write(f"{row}\n")
    assert f"series.csv:218 {said}" in refusal(place, "Series", settings)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('"a\nb",1\n\n"stray,2\nc,3\n"d",1\n', 5),
        ('5" long,1\r\n"a\x0c\r\nb","1\r\nc,2\r\n', 4),
        ('"a ""quote""",1\n"open,2\nc,3\n', 3),
        ('"said \\"so\\"",1\n', 2),
    ],
)
def test_a_stray_quote_swallows_no_rows(rows: str, line: int, place: Path) -> None:
    (place / "reviews.csv").write_text(f"body,stars\n{rows}", newline="")
    assert f"reviews.csv:{line} {QUOTE}" in refusal(place, "LabelledText", TEXTS)


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (STARS, {"classes": ["bad", "good", "great"]}, "reviews.csv:4 has the class 3 in column 'stars'"),
        (f"{SCORES}one,-1\n", FEW, "reviews.csv:42 has the class -1 in column 'stars'"),
    ],
)
def test_a_number_that_names_no_class_is_no_row_to_leave_out(rows: str, settings: Words, said: str, place: Path) -> None:
    (place / "reviews.csv").write_text(f"body,stars\n{rows}")
    names = settings["classes"]
    said += f"; the classes {names} are the numbers 0 to {len(names) - 1}"
    assert said in refusal(place, "LabelledText", {**TEXTS, **settings, "most_left_out": 0.5})


@pytest.mark.parametrize(
    ("kind", "file", "row", "name"),
    [
        ("sound with a transcript", "sounds/3.wav", "no sound", "spoken.csv:5"),
        ("sound with a class", "words/yes/3.wav", "no sound", "words/yes/3.wav"),
        ("lines in pictures", "lines/3.png", "no picture", "lines/metadata.csv:5"),
        ("pen strokes", "pen.jsonl", '{"strokes": [], "word": "hi"}', "pen.jsonl:5"),
        ("a series a row", "wide.csv", "1,2,3,4,5,", "wide.csv:5"),
        ("text with a class", "reviews.csv", "a text,", "reviews.csv:5"),
    ],
)
def test_what_cannot_be_read_is_named_as_the_person_has_it(kind: str, file: str, row: str, name: str, place: Path) -> None:
    write, corpus, settings = KINDS[kind]
    write(place)
    lines = [row] if file.endswith((".wav", ".png")) else [*(place / file).read_text().splitlines()]
    if len(lines) > 1:
        lines[4] = row
    (place / file).write_text("\n".join(lines) + "\n")
    said = refusal(place, corpus, {**settings, **HELD})
    assert re.search(rf"^1 of \d+ rows cannot be read, the last {name}: [^\n<>]*$", said), said


@pytest.mark.parametrize("settings", [{"shar": 0.1, "seed": 1}, {"share": 0.1}])
def test_keys_of_held_out_are_told(settings: Words, place: Path) -> None:
    (place / "reviews.csv").write_text(f"body,stars\n{SCORES}")
    said = "the keys of held_out must be of share, seed, test, by, "
    assert said in refusal(place, "LabelledText", {**TEXTS, "held_out": settings})


@pytest.mark.parametrize(
    ("train", "test", "shared"),
    [("train[:90%]", "train[80%:]", 4), ("train", "train[-3:]", 3), ("train[:20]+train[10:30]", "train[15:22]+train[35:]", 7)],
)
def test_splits_share_no_rows(train: str, test: str, shared: int, place: Path) -> None:
    (place / "reviews.csv").write_text(f"body,stars\n{SCORES}")
    splits = {"train": train, "validation": "other[:5]", "test": test}
    said = f"splits.train {train!r} and splits.test {test!r} share {shared} rows; no row may be in two splits"
    files = {"train": "reviews.csv", "other": "reviews.csv"}
    assert said in refusal(place, "LabelledText", {**TEXTS, "held_out": None, "files": files, "splits": splits})
