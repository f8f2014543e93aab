"""A part of a data set that is larger than the disk: rows of a stream, shuffled in a buffer, and said to be so."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import TINY, fetched_from_hub
from datasets import Dataset
from pyarrow import parquet

from rnn_lightning.corpora import CorpusError, Text
from rnn_lightning.corpora.streaming import Streaming

ROWS = {
    name: [{"text": f"{name} text {row}", "other": f"{row} as well", "kind": "ab"[row % 2]} for row in range(400)]
    for name in ("train", "test")
}
SOME = {"rows": {"train": 50, "test": 20}, "buffer": 100, "seed": 1}
WORDS = {"level": "word", "end_of_line": True}
HELD_OUT = {"share": 0.2, "seed": 1}


def texts(place: Path, split: str) -> list[str]:
    return parquet.read_table(place / f"raw/{split}.parquet")["text"].to_pylist()


def streamed(place: Path, corpus: str, streaming: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The card of a corpus of `ROWS` of which a part is read."""
    place.mkdir()
    folder = fetched_from_hub(place, ROWS, corpus, streaming=streaming, held_out=HELD_OUT, **settings)
    assert sorted(path.name for path in place.iterdir()) == ["cache", "processed", "raw", "record.json"]
    return json.loads((folder / "card.json").read_text())


def test_a_part_is_drawn_by_the_seed_and_nothing_else_is_kept(tmp_path: Path) -> None:
    card = streamed(tmp_path / "one", "Text", SOME, **WORDS)
    assert card["source"]["streaming"] == SOME and card["source"]["rows"] == {"test": 20, "train": 40, "validation": 10}
    assert card["title"] == "tiny/lines (default), a part of its stream by word"
    rows = texts(tmp_path / "one", "train") + texts(tmp_path / "one", "validation")
    numbers = [int(text.split()[-1]) for text in rows]
    assert len(set(numbers)) == 50 and max(numbers) < 50 + SOME["buffer"] and numbers != sorted(numbers)
    cached = b"".join(path.read_bytes() for path in (tmp_path / "one/cache").rglob("*") if path.is_file())
    assert b"train text" not in cached


def test_the_seed_decides_which_rows_are_read(tmp_path: Path) -> None:
    streams = {"train": Dataset.from_list(ROWS["train"]).to_iterable_dataset()}
    cases = {"one": SOME, "two": SOME, "other seed": {**SOME, "seed": 2}, "in order": {**SOME, "buffer": 1}}
    read = {}
    for name, settings in cases.items():
        streaming = Streaming.of({**settings, "rows": {"train": 50}})
        read[name] = streaming.drawn(streams, {}, str(tmp_path / name))["train"]["text"][:]
    assert read["one"] == read["two"] != read["other seed"]
    assert read["in order"] == [row["text"] for row in ROWS["train"][:50]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corpus", "settings"),
    [
        ("LabelledText", {"text": "text", "label": "kind"}),
        ("Translation", {"source": "text", "target": "other", "level": "character"}),
        ("Text", WORDS),
    ],
)
def test_without_a_buffer_the_first_rows_are_read(corpus: str, settings: dict[str, Any], tmp_path: Path) -> None:
    streamed(tmp_path / "one", corpus, {"rows": {"train": 50, "test": 1000}}, **settings)
    read = texts(tmp_path / "one", "train") + texts(tmp_path / "one", "validation")
    assert sorted(read) == sorted(row["text"] for row in ROWS["train"][:50])
    assert len(texts(tmp_path / "one", "test")) == 400


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "streaming.rows must say how many rows of each split"),
        ({"rows": {"train": 0}}, "streaming.rows must say how many rows of each split"),
        ({"rows": {"train": 1}, "buffer": 0}, "streaming.buffer must be at least 1 row, not 0"),
        ({"rows": {"train": 1}, "size": 1}, "the keys of streaming must be of rows, buffer, seed, not 'size'"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Text(**TINY, **WORDS, streaming=settings)


def test_files_are_not_streamed() -> None:
    with pytest.raises(ValueError, match="streaming is for a data set on the Hub, and these are files: leave it out"):
        Text(files="a.txt", **WORDS, streaming=SOME)


def test_a_split_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no split 'train\[:9%\]'; it has train, test, and no slices while it is streamed"):
        Streaming({"train": 1}).drawn({"train": [], "test": []}, {"train": "train[:9%]"}, str(tmp_path))
