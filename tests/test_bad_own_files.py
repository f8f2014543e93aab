"""Local files that a corpus cannot read: each fault is named in one line, with its file and line and the setting to change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_files import HELD, KINDS, SPECTRA, fetched, write_conllu, write_pairs, write_reviews, write_series, write_sounds

Words = dict[str, Any]


REVIEWS = {"files": "reviews.csv", "text": "body", "label": "stars", **HELD}
SERIES = {"files": "series.csv", "series": "id", "sequence": ["x", "y"], "label": "kind", **HELD}


def appended(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(text)

    return change


def written(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def nothing(folder: Path) -> None:
    pass


BAD: dict[str, tuple[Callable[[Path], None], Callable[[Path], None], str, Words, str]] = {
    "a line too long": (
        write_reviews,
        appended("reviews.csv", "a,b,1\n"),
        "LabelledText",
        REVIEWS,
        "reviews.csv:42 has 3 columns, not 2",
    ),
    "a line too short": (
        write_reviews,
        appended("reviews.csv", "a\n"),
        "LabelledText",
        REVIEWS,
        "reviews.csv:42 has 1 columns, not 2",
    ),
    "no number": (
        write_series,
        appended("series.csv", "99,1,one,a,2\n"),
        "Series",
        SERIES,
        r"series.csv:218: 'one' in column 'y' is no number",
    ),
    "no such column": (
        write_reviews,
        nothing,
        "LabelledText",
        REVIEWS | {"text": "bodi"},
        "no column 'bodi'; text must be of body, stars",
    ),
    "no such class": (
        write_reviews,
        nothing,
        "LabelledText",
        REVIEWS | {"label": "body", "classes": ["a"]},
        "the classes ['a'] are for integers",
    ),
    "no such file": (nothing, nothing, "LabelledText", REVIEWS, "reviews.csv is missing; files.train must name local files"),
    "misaligned": (
        write_pairs,
        appended("train.en", "MORE\n"),
        "Translation",
        {**KINDS["parallel text"][2], **HELD},
        "train.de:40 is its last line: parallel files must have as many lines, not train.de 40 and train.en 41",
    ),
    "a missing sound": (
        write_sounds,
        without("sounds/3.wav"),
        "TranscribedSpeech",
        {**KINDS["sound with a transcript"][2], **HELD},
        "spoken.csv:5 names sounds/3.wav, which is missing in .",
    ),
    "a missing sound in JSON": (
        write_sounds,
        without("sounds/3.wav"),
        "FramewiseSpeech",
        {**KINDS["aligned sound"][2], **HELD},
        "aligned.jsonl:4 names sounds/3.wav, which is missing",
    ),
    "no JSON": (
        write_sounds,
        appended("aligned.jsonl", "{oh\n"),
        "FramewiseSpeech",
        {**KINDS["aligned sound"][2], **HELD},
        "aligned.jsonl:41 is no JSON: Expecting property name",
    ),
    "no number in JSON": (
        nothing,
        appended("steps.jsonl", '{"s": [[1, 2]], "label": "a"}\n{"s": [[1, 2], [3, "x"]], "label": "a"}\n'),
        "Series",
        {"files": "steps.jsonl", "sequence": "s", "label": "label", **HELD},
        "steps.jsonl:2: 'x' in column 's' is no number",
    ),
    "no UTF-8": (
        write_reviews,
        written("reviews.csv", b"body,stars\n\xff,1\n"),
        "LabelledText",
        REVIEWS,
        "reviews.csv:2 is not UTF-8 at byte 1",
    ),
    "another separator": (
        write_reviews,
        written("reviews.csv", b"body;stars\na;1\n"),
        "LabelledText",
        REVIEWS,
        "reviews.csv:1 has one column, 'body;stars': set separator to what is between its columns",
    ),
    "only a heading": (
        write_reviews,
        written("reviews.csv", b"body,stars\n"),
        "LabelledText",
        REVIEWS,
        "reviews.csv is empty: it has no row below its heading",
    ),
    "an empty text": (nothing, appended("book.txt", ""), "Text", {**KINDS["text"][2], **HELD}, "book.txt is empty"),
    "a ragged line of words": (
        nothing,
        appended("names.conll", "a O\nb\n"),
        "Tagging",
        {**KINDS["tagged words"][2], **HELD},
        "names.conll:2 has 1 columns, not 2 as the first line",
    ),
    "a column that CoNLL-U has not": (
        write_conllu,
        nothing,
        "Tagging",
        {"files": "bank.conllu", "words": "form", "tags": "pos", **HELD},
        "bank.conllu has no column 'pos'; columns are id, form, lemma, upos",
    ),
    "no validation split": (
        write_reviews,
        nothing,
        "LabelledText",
        {**REVIEWS, "held_out": None},
        "no split 'validation'; it has train: set held_out, such as {share: 0.1, seed: 1}, or splits, such as",
    ),
    "no test split": (
        write_reviews,
        nothing,
        "LabelledText",
        {**REVIEWS, "held_out": {"share": 0.1, "seed": 1}},
        "no split 'test'; it has train, validation: set held_out, such as {share: 0.1, test: 0.1, seed: 1}",
    ),
    "only a test split": (
        write_reviews,
        nothing,
        "LabelledText",
        {**REVIEWS, "files": {"test": "reviews.csv"}},
        "no split 'train'; it has test: name it in splits, such as {train: NAME}",
    ),
    "a split of another name": (
        write_reviews,
        nothing,
        "LabelledText",
        {**REVIEWS, "splits": {"train": "training"}},
        "no split 'training' for splits.train; it has train, and slices such as train[:90%]",
    ),
    "a split drawn twice": (
        write_reviews,
        nothing,
        "LabelledText",
        {**REVIEWS, "files": {"train": "reviews.csv", "test": "reviews.csv"}},
        "held_out.test draws the split 'test', which is there",
    ),
    "an unknown suffix": (
        nothing,
        appended("reviews.xls", "x"),
        "LabelledText",
        {**REVIEWS, "files": "reviews.xls"},
        "format of reviews.xls is not known by its name: give format, one of",
    ),
    "a folder of no sounds": (
        lambda folder: (folder / "words").mkdir(),
        nothing,
        "SpokenClasses",
        {"files": "words", "label": "label", **SPECTRA, **HELD},
        "words has no sound or picture: none of .png",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_in_one_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, change, corpus, settings, said = BAD[case]
    write(tmp_path)
    change(tmp_path)
    with pytest.raises(ValueError) as raised:
        fetched(corpus, **settings)
    message = str(raised.value)
    assert said in message
    assert "\n" not in message and not Path("processed").exists()
