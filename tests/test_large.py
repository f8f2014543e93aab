"""Text of any size: the same bytes for any number of processes, in memory that does not grow with it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from corpora import TINY, contents, two_columns, write_fetched
from tokenizers import Tokenizer, models

from rnn_lightning import workers
from rnn_lightning.archives import write_arrays
from rnn_lightning.corpora import Corpus, Pairs, Stream, Text, Translation, card, corpus, encoding
from rnn_lightning.corpora.card import CardFields, make_card, row_hashes
from rnn_lightning.sliced import SpooledArray, SpooledLines
from rnn_lightning.workers import LostWorkerError, Workers

WORDS = [f"w{number}" for number in range(50)]


def sentences(rows: int, seed: int) -> list[str]:
    draws = np.random.default_rng(seed)
    return [" ".join(draws.choice(WORDS, draws.integers(0, 12))) for _ in range(rows)]


def text(place: Path) -> Corpus:
    columns = {split: {"text": sentences(rows, rows)} for split, rows in (("train", 700), ("validation", 90), ("test", 91))}
    write_fetched(place / "raw", columns, TINY)
    return Text(**TINY, level="word", end_of_line=True)


def translation(place: Path) -> Corpus:
    rows = {"train": (300, 1), "validation": (40, 2), "test": (50, 3)}
    pairs = {split: list(zip(sentences(n, s), sentences(n, s + 9), strict=True)) for split, (n, s) in rows.items()}
    write_fetched(place / "raw", two_columns(pairs), TINY)
    return Translation(**TINY, source="de", target="en", level="bpe", vocabulary_size=300, longest=30)


@pytest.mark.parametrize("make", [text, translation])
def test_any_number_of_workers_makes_the_same_bytes(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(tmp_path)
    made.preprocess(tmp_path / "raw", tmp_path / "new/whole")
    monkeypatch.setattr("rnn_lightning.workers.ROWS", 64)
    monkeypatch.setattr(corpus, "BLOCK", 100)
    monkeypatch.setattr("rnn_lightning.sliced.BLOCK", 100)
    for count in (1, 2):
        made.workers = Workers(count)
        made.preprocess(tmp_path / "raw", tmp_path / str(count))
        assert contents(tmp_path / str(count)) == contents(tmp_path / "new/whole")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "new", "1", "2"}


def end(rows: Sequence[object]) -> None:
    """What a worker does that the system kills."""
    os._exit(9)


def test_a_worker_that_is_killed_ends_it_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = text(tmp_path)
    made.workers = Workers(2)
    monkeypatch.setattr(workers, "_work", end)
    monkeypatch.setattr(workers, "ROWS", 64)
    with pytest.raises(LostWorkerError, match=r"one of 2 workers was ended, .*: preprocess again"):
        made.preprocess(tmp_path / "raw", tmp_path / "processed")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_worker_that_is_killed_as_it_begins_ends_it_too() -> None:
    """What a worker is handed must not be more than its pipe holds: nobody would read it."""
    words = [f"a rather long word {number}" for number in range(20_000)]
    tokenizer = Tokenizer(models.WordLevel(dict(zip(words, range(len(words)), strict=True)), unk_token=words[0]))
    before = set(psutil.Process().children())

    def kill_the_first() -> None:
        while True:
            for child in set(psutil.Process().children()) - before:
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
                    return

    killer = threading.Thread(target=kill_the_first, daemon=True)
    killer.start()
    with pytest.raises(LostWorkerError, match="one of 2 workers was ended"):
        list(Workers(2).map(encoding.Encoder([tokenizer]), [("a b c",)] * 9, at_once=3))
    killer.join()


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_large
from rnn_lightning import workers
if __name__ == "__main__":
    workers._work, workers.ROWS = test_large.wait, 64
    made = test_large.text(Path("."))
    made.workers = workers.Workers(2)
    made.preprocess(Path("raw"), Path("processed"))
"""


def wait(rows: Sequence[object]) -> None:
    """What a worker does whose work takes long: it says which process it is."""
    Path(str(os.getpid())).touch()
    time.sleep(100)


def test_workers_end_with_the_process_that_began_them(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    with subprocess.Popen([sys.executable, "slow.py", str(Path(__file__).parent)], cwd=tmp_path) as process:
        while not (begun := [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    for _ in range(200):
        if not any(map(psutil.pid_exists, begun)):
            return
        time.sleep(0.05)
    raise AssertionError(f"{begun} go on")


def spooled(values: np.ndarray, folder: Path) -> SpooledArray:
    array = SpooledArray(values.dtype, folder)
    for part in np.array_split(values, 7):
        array.append(part)
    return array


def test_an_array_that_was_written_by_parts_is_the_array(tmp_path: Path) -> None:
    values = np.arange(1000, dtype=np.int32)
    array = spooled(values, tmp_path)
    for place in (slice(None), slice(3, 900), slice(5, 2), slice(-2, None), slice(990, 2000)):
        np.testing.assert_array_equal(array[place], values[place], strict=True)
    write_arrays(tmp_path / "a.npz", {"values": values, "flags": values > 7})
    write_arrays(tmp_path / "b.npz", {"values": array, "flags": spooled(values > 7, tmp_path)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_lines_that_were_written_by_parts_are_the_lines(tmp_path: Path) -> None:
    lines = SpooledLines(tmp_path)
    lines.append(["a", "", "ü\r\x85"])
    lines.append(["b"])
    assert [list(lines), list(lines)] == [["a\n", "\n", "ü\r\x85\n", "b\n"]] * 2


@pytest.mark.parametrize("block", [1, 7, 100, 10**6])
def test_the_card_is_what_a_plain_loop_counts(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "BLOCK", block)
    monkeypatch.setattr("rnn_lightning.sliced.BLOCK", block)
    draws = np.random.default_rng(0)
    splits, rows = {}, {}
    for split, count in {"train": 200, "validation": 80, "test": 30}.items():
        rows[split] = [draws.integers(1, 4, draws.integers(0, 4)).tolist() for _ in range(count)]
        tokens = np.array([token for row in rows[split] for token in [*row, 0]], np.int32)
        splits[split] = Stream(spooled(tokens, tmp_path), np.array([0, len(tokens)]), spooled(tokens >= 0, tmp_path))
    found = make_card(splits, CardFields("title", {}, unknown=2, line_end=0, shortest_line=3))["splits"]
    known = {tuple(row) for row in rows["train"] if len(row) >= 2}
    for split, some in rows.items():
        long = [tuple(row) in known for row in some if len(row) >= 2]
        tokens = [token for row in some for token in [*row, 0]]
        assert found[split]["share_seen_in_train"] == (None if split == "train" else sum(long) / len(long))
        assert found[split]["unknown_rate"] == tokens.count(2) / len(tokens) and found[split]["tokens"] == len(tokens)
        assert found[split]["lengths"]["100"] == max(map(len, some)) + 1


def test_rows_are_hashed_alike_however_long_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values, offsets = np.arange(100, dtype=np.int32) % 10, np.array([0, 0, 10, 20, 20, 60, 100])
    hashes = row_hashes(values, offsets)
    assert [int((hashes == one).sum()) for one in hashes] == [2] * 6 and len(set(hashes.tolist())) == 3
    monkeypatch.setattr("rnn_lightning.sliced.BLOCK", 3)
    assert row_hashes(spooled(values, tmp_path), offsets).tolist() == hashes.tolist()
    split = Pairs(values, offsets, values, offsets)
    assert len(set(card.pair_hashes(split).tolist())) == 3


PREPROCESS = """
import resource, sys
from pathlib import Path
from rnn_lightning.corpora import Text
corpus = Text(repository="tiny/rows", config="default", revision="main", record="record.json", level="word", end_of_line=True)
corpus.preprocess(Path("raw"), Path("processed"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """Ten times the text in 40 MB more; as lists of lines and encodings it takes 200."""
    peaks, some = [], [f"{line} {' '.join(WORDS)}" for line in sentences(2000, 0)]
    for times in (2, 20):
        place = tmp_path / str(times)
        columns = {"train": {"text": some * times}, "validation": {"text": some}, "test": {"text": some}}
        place.mkdir()
        write_fetched(place / "raw", columns, TINY)
        done = subprocess.run([sys.executable, "-c", PREPROCESS], cwd=place, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 40, peaks
