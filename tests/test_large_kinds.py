"""Corpora of any size and kind: the same bytes for any number of processes, in memory that does not grow with the rows."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import soundfile
from corpora import TINY, contents, write_fetched
from often import some
from PIL import Image

from rnn_lightning.corpora import (
    SPLITS,
    Corpus,
    CorpusError,
    Handwriting,
    Images,
    LabelledText,
    Series,
    SpokenClasses,
    TaggedFiles,
    Tagging,
    TranscribedSpeech,
    moments,
)
from rnn_lightning.corpora.moments import mean_and_deviation
from rnn_lightning.sliced import SpooledArray
from rnn_lightning.workers import LostWorkerError, Workers

WORDS = [f"w{number}" for number in range(40)]
SIZES = {"train": 150, "validation": 40, "test": 41}
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
"""Drawn at random, many of them stand where BIO forbids them."""


def fetched(place: Path, row: Callable[[np.random.Generator], dict[str, Any]]) -> None:
    """Random rows of a corpus as a fetch leaves them."""
    draws = np.random.default_rng(0)
    columns = {split: pyarrow.Table.from_pylist([row(draws) for _ in range(rows)]) for split, rows in SIZES.items()}
    write_fetched(place / "raw", columns, TINY)


def tagged_row(draws: np.random.Generator) -> dict[str, Any]:
    length = int(draws.integers(0, 9))
    return {"words": draws.choice(WORDS, length).tolist(), "tags": draws.choice(TAGS, length).tolist()}


def tagging(place: Path) -> Corpus:
    fetched(place, tagged_row)
    return Tagging(**TINY, words="words", tags="tags", repair=True)


def conll(place: Path) -> Corpus:
    draws = np.random.default_rng(0)
    for split, rows in SIZES.items():
        sentences = [tagged_row(draws) for _ in range(rows)]
        pairs = [zip(one["words"], one["tags"], strict=True) for one in sentences]
        text = "\n".join("".join(f"{word} {tag}\n" for word, tag in some) for some in pairs)
        (place / f"{split}.txt").write_text(text)
    corpus = TaggedFiles(files={split: place / f"{split}.txt" for split in SPLITS}, word=1, tag=2)
    corpus.fetch(place / "raw")
    return corpus


def labelled(place: Path) -> Corpus:
    def row(draws: np.random.Generator) -> dict[str, Any]:
        words = draws.choice(WORDS, draws.integers(0, 9)).tolist()
        return {"body": " ".join(words) or None, "stars": int(draws.integers(1, 4))}

    fetched(place, row)
    return LabelledText(**TINY, text="body", label="stars", min_frequency=2, most_left_out=0.3)


def sound(draws: np.random.Generator) -> dict[str, Any]:
    file = io.BytesIO()
    soundfile.write(file, draws.normal(0, 0.1, draws.integers(900, 2000)), 8000, format="WAV")
    return {"bytes": file.getvalue() if draws.random() > 0.05 else b"", "path": None}


def spoken(place: Path) -> Corpus:
    fetched(
        place,
        lambda draws: {"audio": sound(draws), "label": str(draws.choice(WORDS[:3])), "who": str(draws.choice(["a", "b"]))},
    )
    return SpokenClasses(**TINY, label="label", spectra={"sampling_rate": 8000}, per_speaker="who", most_left_out=0.3)


def transcribed(place: Path) -> Corpus:
    fetched(place, lambda draws: {"audio": sound(draws), "text": "".join(draws.choice(WORDS, 3)), "id": str(draws.random())})
    return TranscribedSpeech(**TINY, text="text", spectra={"sampling_rate": 8000}, row="id", most_left_out=0.3)


def pictures(place: Path) -> Corpus:
    def row(draws: np.random.Generator) -> dict[str, Any]:
        file = io.BytesIO()
        Image.fromarray(draws.integers(0, 255, (5, 4), np.uint8)).save(file, "PNG")
        return {"image": {"bytes": file.getvalue(), "path": None}, "label": int(draws.integers(3))}

    fetched(place, row)
    return Images(**TINY, image="image", label="label", classes=["x", "y", "z"])


def series(place: Path) -> Corpus:
    def row(draws: np.random.Generator) -> dict[str, Any]:
        return {"steps": draws.normal(size=(draws.integers(1, 6), 2)).tolist(), "value": float(draws.normal())}

    fetched(place, row)
    return Series(**TINY, sequence="steps", value="value")


def handwriting(place: Path) -> Corpus:
    def row(draws: np.random.Generator) -> dict[str, Any]:
        return {"strokes": draws.normal(size=(2, 5, 2)).cumsum(1).tolist(), "text": "".join(draws.choice(WORDS, 2))}

    fetched(place, row)
    return Handwriting(**TINY, strokes="strokes", text="text")


KINDS = [conll, spoken, pictures, series, handwriting, transcribed, labelled, tagging]


@pytest.mark.parametrize("make", some(KINDS, 2))
def test_any_number_of_workers_makes_the_same_bytes(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the same lines on standard error, and with other numbers of rows at a time."""
    made = make(tmp_path)
    made.preprocess(tmp_path / "raw", tmp_path / "new/whole")
    monkeypatch.setattr("rnn_lightning.workers.ROWS", 32)
    monkeypatch.setattr("rnn_lightning.corpora.parquet.ROWS", 7)
    monkeypatch.setattr("rnn_lightning.sliced.BLOCK", 100)
    monkeypatch.setattr(moments, "LEAF", 200)
    for count in (1, 2):
        made.workers = Workers(count)
        made.preprocess(tmp_path / "raw", tmp_path / f"by_{count}")
        assert contents(tmp_path / f"by_{count}") == contents(tmp_path / "new/whole")


@pytest.mark.parametrize(("make", "expected"), some([(labelled, "left out row"), (tagging, "tags that BIO forbids")], 1))
def test_workers_say_what_one_process_says(
    make: Any, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_lightning.workers.ROWS", 32)
    said = []
    made = make(tmp_path)
    for count in (1, 2):
        made.workers = Workers(count)
        made.preprocess(tmp_path / "raw", tmp_path / f"by_{count}")
        said.append(capsys.readouterr().err)
    assert said[0] == said[1] and expected in said[0]


def test_the_error_of_a_worker_is_that_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_lightning.workers.ROWS", 32)
    rows = [{"words": ["a", "b"], "tags": ["X", "" if number == 120 else "Y"]} for number in range(150)]
    table = pyarrow.Table.from_pylist(rows)
    made = Tagging(**TINY, words="words", tags="tags")
    write_fetched(tmp_path / "raw", dict.fromkeys(SPLITS, table), TINY)
    for count in (1, 2):
        made.workers = Workers(count)
        with pytest.raises(CorpusError, match=r"^row 120 of .*train.parquet: the word 'b' has no tag$"):
            made.preprocess(tmp_path / "raw", tmp_path / "processed")


def test_a_worker_that_is_killed_before_it_reads_its_work_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", broken)
    with pytest.raises(LostWorkerError, match=r"one of 2 workers was ended, .*: preprocess again"):
        list(Workers(2).map(sum, [1, 2, 3], at_once=1))


@pytest.mark.parametrize("features", [1, 2, 7, 123])
@pytest.mark.parametrize("rows", [1, 3, 1000, 20_011])
def test_moments_have_the_bits_of_numpy(features: int, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "LEAF", 1000)
    monkeypatch.setattr("rnn_lightning.sliced.BLOCK", 5000)
    values = np.random.default_rng(rows).normal(3, 2, (rows, features)).astype(np.float32)
    spooled, whole = SpooledArray(np.float32, tmp_path), values.astype(np.float64)
    for part in np.array_split(values, 5):
        spooled.append(part)
    for given in (values, spooled):
        for alike, axis in ((False, 0), (True, None)):
            mean, std = mean_and_deviation(given, alike=alike)
            assert np.array_equal(mean, whole.mean(axis)) or np.array_equal([mean], whole.mean(axis))
            assert np.array_equal(std, whole.std(axis)) or np.array_equal([std], whole.std(axis))


PEAK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_large_kinds
getattr(test_large_kinds, sys.argv[2]).preprocess(Path("raw"), Path("processed"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
TAGGED = Tagging(**TINY, words="words", tags="tags")
LABELLED = LabelledText(**TINY, text="body", label="stars")


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["TAGGED", "LABELLED"])
def test_memory_does_not_grow_with_the_rows(corpus: str, tmp_path: Path) -> None:
    """Ten times the rows in 40 MB more."""
    draws, peaks = np.random.default_rng(0), []
    words = [draws.choice(WORDS, 40).tolist() for _ in range(1500)]
    some = [{"words": row, "tags": row, "body": " ".join(row), "stars": "many"} for row in words]
    columns = ["words", "tags"] if corpus == "TAGGED" else ["body", "stars"]
    table = pyarrow.Table.from_pylist(some).select(columns)
    for times in (2, 20):
        place = tmp_path / str(times)
        place.mkdir()
        write_fetched(place / "raw", {**dict.fromkeys(SPLITS, table), "train": pyarrow.concat_tables([table] * times)}, TINY)
        command = [sys.executable, "-c", PEAK, str(Path(__file__).parent), corpus]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 40, peaks
