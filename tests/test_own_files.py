"""Corpora of local files: every kind is read, divided as is asked for, and what is wrong is named with its file and line."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from own_files import HELD, KINDS, ROWS, fetched, sentences, write_conllu, write_reviews, write_series

from rnn_lightning import corpora
from rnn_lightning.corpora import SPLITS, CorpusError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_from_files(kind: str, place: Path) -> None:
    write, corpus, settings = KINDS[kind]
    write(place)
    fetched(corpus, **settings, **HELD)
    card = json.loads(Path("processed/card.json").read_text())
    if kind != "text":
        assert sum(card["splits"][split]["rows"] for split in SPLITS) == ROWS
    assert not [path for path in place.iterdir() if path.name.endswith(".partial")]
    source = json.loads(Path("raw/source.json").read_text())
    assert source["held_out"] == {**HELD["held_out"], "by": None} and len(source["originals"]["train"]) == 64


def test_conllu_is_read_as_its_standard_says(place: Path) -> None:
    write_conllu(place)
    settings = {"words": "form", "tags": "upos", "files": "bank.conllu"}
    rows = fetched("Tagging", **settings, **HELD)
    read = sorted((row for some in rows.values() for row in some), key=lambda row: int(row["file:line"].partition(":")[2]))
    assert [" ".join(row["form"][:-1]) for row in read] == sentences(ROWS)
    assert {row["form"][-1] for row in read} == {"10\u00a0000"} and {tag for row in read for tag in row["upos"]} == {
        "NOUN",
        "X",
    }
    assert read[0]["file:line"] == "bank.conllu:4"
    documents = [{row["document"] for row in rows[split]} for split in SPLITS]
    assert [len(some) for some in documents] == [6, 2, 2] and not documents[0] & (documents[1] | documents[2])


def test_text_is_held_out_in_one_passage(place: Path) -> None:
    lines = [f"line {row}\n" for row in range(50)]
    (place / "book.txt").write_text("".join(lines))
    settings = {"files": "book.txt", "level": "character", "end_of_line": False}
    rows = fetched("Text", **settings, held_out={"share": 0.1, "test": 0.2, "seed": 3})
    numbers = {split: [lines.index(row["text"]) for row in some] for split, some in rows.items()}
    assert {split: len(some) for split, some in numbers.items()} == {"train": 35, "validation": 5, "test": 10}
    assert sorted(number for some in numbers.values() for number in some) == list(range(50))
    held = numbers["validation"] + numbers["test"]
    assert sum(after - before != 1 for before, after in pairwise(sorted(held))) <= 1
    assert numbers["train"] == sorted(numbers["train"])


def test_classes_are_held_out_in_their_shares_and_series_as_a_whole(place: Path) -> None:
    write_reviews(place)
    rows = fetched("LabelledText", files="reviews.csv", text="body", label="stars", **HELD)
    counts = {split: [[row["stars"] for row in some].count(star) for star in (1, 2, 3)] for split, some in rows.items()}
    assert counts == {"train": [8, 7, 7], "validation": [3, 3, 3], "test": [3, 3, 3]}
    assert json.loads(Path("processed/card.json").read_text())["classes"] == ["1", "2", "3"]
    write_series(place)
    rows = fetched("Series", files="series.csv", series="id", sequence=["x", "y"], label="kind", **HELD)
    ids = [{row["id"] for row in rows[split]} for split in SPLITS]
    assert [len(some) for some in ids] == [24, 8, 8]


def test_steps_of_a_series_need_not_be_adjacent(place: Path) -> None:
    """The log of 20 devices by time is 20 series, whose steps are in the order of the file, and of the same bytes as sorted."""
    steps = [(f"d{19 - device}", time) for time in range(5) for device in range(20)]
    settings = {"files": "log.csv", "series": "id", "sequence": ["x"], "label": "kind", **HELD}
    for name, rows in (("sorted", sorted(steps, key=lambda step: -int(step[0][1:]))), ("by time", steps)):
        lines = [f"{device},{time}.5,{'ab'[int(device[1:]) % 2]}" for device, time in rows]
        (place / "log.csv").write_text("\n".join(["id,x,kind", *lines]) + "\n")
        fetched("Series", **settings)
        Path("processed").rename(name)
    for split in SPLITS:
        arrays, expected = (dict(np.load(f"{name}/{split}.npz")) for name in ("by time", "sorted"))
        assert all(np.array_equal(arrays[key], expected[key]) for key in expected)
        assert arrays["inputs"].reshape(-1, 5).tolist() == [[0.5, 1.5, 2.5, 3.5, 4.5]] * len(arrays["targets"])
    card = json.loads(Path("by time/card.json").read_text())
    assert sum(card["splits"][split]["rows"] for split in SPLITS) == 20


def test_splits_have_names_of_their_own_and_are_slices(place: Path) -> None:
    for name, count in (("train", 20), ("dev", 6)):
        (place / f"{name}.csv").write_text("body,label\n" + "".join(f"{name} {row},{row % 2}\n" for row in range(count)))
    settings = {"files": {"train": "train.csv", "dev": "dev.csv"}, "text": "body", "label": "label", "classes": ["no", "yes"]}
    splits = {"train": "train[:75%]", "validation": "dev[:3]+dev[4:]", "test": "train[75%:]"}
    rows = fetched("LabelledText", **settings, splits=splits)
    bodies = {split: [row["body"] for row in some] for split, some in rows.items()}
    assert bodies["train"] == [f"train {row}" for row in range(15)] and bodies["test"] == [
        f"train {row}" for row in range(15, 20)
    ]
    assert bodies["validation"] == [f"dev {row}" for row in (0, 1, 2, 4, 5)]
    card = json.loads(Path("processed/card.json").read_text())
    assert card["classes"] == ["no", "yes"] and card["source"]["splits"] == splits


def test_files_that_no_split_takes_a_row_of_are_refused(place: Path) -> None:
    for name in ("train", "dev"):
        (place / f"{name}.csv").write_text("body,label\n" + "".join(f"text {row},{row % 2}\n" for row in range(9)))
    splits = {"train": "train[:5]", "validation": "train[5:7]", "test": "train[7:]"}
    said = r"files.dev are of no split: name them in splits, which are {train: train\[:5\], .*}, or leave them out$"
    with pytest.raises(ValueError, match=said):
        fetched("LabelledText", files={"train": "train.csv", "dev": "dev.csv"}, splits=splits, text="body", label="label")


def test_cells_of_csv_keep_what_is_written(place: Path) -> None:
    """NA is a word, digits keep their zeros, quotes hold line ends and separators, and tabs separate without quotes."""
    (place / "a.csv").write_text('\ufefftext,label\r\nNA,x\r\n"one,\r\ntwo ""q""",x\r\n007,x\r\n')
    (place / "b.tsv").write_text('text\tlabel\nhe said "no\tx\n1.50\ty\n')
    settings = {"text": "text", "label": "label", "held_out": {"share": 0.3, "test": 0.3, "seed": 1, "by": "text"}}
    rows = fetched("LabelledText", files="a.csv", **settings)
    assert {row["text"] for some in rows.values() for row in some} == {"NA", 'one,\r\ntwo "q"', "007"}
    with pytest.raises(CorpusError, match="held_out leaves the validation split without a row, of 2"):
        fetched("LabelledText", files="b.tsv", **settings | {"held_out": {"share": 0.1, "seed": 1}})
    rows = fetched("LabelledText", files={"train": "b.tsv", "validation": "b.tsv", "test": "b.tsv"}, text="text", label="label")
    assert [row["text"] for row in rows["test"]] == ['he said "no', "1.50"]


def test_rows_without_a_class_are_named_and_left_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "a.csv").write_text("body;stars\n" + "".join(f"text {row};{row % 2 + 1 if row else ''}\n" for row in range(20)))
    settings = {"files": dict.fromkeys(SPLITS, "a.csv"), "separator": ";", "text": "body", "label": "stars"}
    fetched("LabelledText", **settings, most_left_out=0.1)
    card = json.loads(Path("processed/card.json").read_text())
    assert card["classes"] == ["1", "2"] and card["left_out"] == dict.fromkeys(SPLITS, 1)
    assert "preprocess: left out a.csv:2: it has no class" in capsys.readouterr().err


def test_pictures_in_parquet_are_read_as_they_are(place: Path) -> None:
    write, _, settings = KINDS["lines in pictures"]
    write(place)
    files = [(place / "lines" / f"{row}.png").read_bytes() for row in range(4)]
    table = {"image": [{"bytes": data, "path": None} for data in files], "text": ["a"] * 4}
    Dataset.from_dict(table, features=Features({"image": Image(), "text": Value("string")})).to_parquet("lines.parquet")
    rows = fetched("Images", **{**settings, "files": dict.fromkeys(SPLITS, "lines.parquet")})
    assert [row["image"]["bytes"] for row in rows["test"]] == files


def test_a_changed_file_is_fetched_again(place: Path) -> None:
    write_reviews(place)
    corpus = corpora.LabelledText(files="reviews.csv", text="body", label="stars", **HELD)
    corpus.fetch(Path("raw"))
    with (place / "reviews.csv").open("a") as file:
        file.write("more,1\n")
    with pytest.raises(CorpusError, match=r"reviews.csv is not the file that was fetched to raw; fetch the corpus again"):
        corpus.preprocess(Path("raw"), Path("processed"))
    (place / "reviews.csv").unlink()
    corpus.preprocess(Path("raw"), Path("processed"))


def test_arguments_are_checked_before_anything_is_read() -> None:
    for settings, said in (
        ({}, "either repository .* or files, such as"),
        ({"files": "a.csv", "repository": "a/b"}, "either repository or files must be given, not both 'a/b' and 'a.csv'"),
        ({"repository": "a/b"}, "repository 'a/b' needs config, revision and record too"),
        ({"files": "a.csv", "format": "xls"}, r"format must be one of \['text', 'csv', 'json'"),
        ({"files": {}}, "files must name the files of a split"),
        (
            {"files": {"train": "t.csv", "validaton": "v.csv"}, "held_out": {"share": 0.1, "test": 0.1, "seed": 1}},
            r"^files.validaton: there is no such split \(the nearest is validation\); there are train, validation, test; say "
            "in splits what other files are, such as {train: train, validation: validaton}$",
        ),
        (
            {"files": {"train": "t.csv", "dev": "v.csv"}},
            "^files.dev: there is no such split; there are train, validation, test; ",
        ),
        ({"files": "a.csv", "held_out": {"share": 0.5, "test": 0.5, "seed": 1}}, "held_out.test must lie between 0 and"),
    ):
        with pytest.raises(ValueError, match=said):
            corpora.Translation(source="de", target="en", level="word", **settings)  # pyright: ignore[reportArgumentType]


def test_a_number_is_a_target_and_its_mean_a_reference(place: Path) -> None:
    write_series(place)
    fetched("Series", **{**KINDS["series with a number"][2], **HELD})
    targets = {split: np.load(f"processed/{split}.npz")["targets"] for split in SPLITS}
    assert targets["train"].dtype == np.float32 and sorted(np.concatenate([*targets.values()]).tolist())[-1] == pytest.approx(
        3.9
    )
    reference = json.loads(Path("processed/card.json").read_text())["references"]["baseline_mean_squared_error"]
    assert reference == pytest.approx(((targets["test"] - targets["train"].mean()) ** 2).mean(), rel=1e-5)
