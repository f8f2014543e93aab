"""Text corpora and their cards, against naive counts; folders that are whole; errors in one line."""

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from corpora import write_fetched
from tokenizers import Tokenizer

from rnn_lightning.corpora import SPLITS, Corpus, CorpusError, Text
from rnn_lightning.files import sha256, whole_folder, write_json

LINES = {
    "train": [" the cat sat on the mat \n", "", " a <unk> sat by the cat \n", " the cat sat on the mat \n"],
    "validation": [" the dog sat on a hat \n", ""],
    "test": [" the cat sat on the mat \n", " the dog , the cat \n", " the cat \n"],
}
VERSE = {"train": ["To be, or not\n\nto be: that is\n"], "validation": ["be not\n"], "test": ["to be, or not"]}


def text(level: str, end_of_line: bool, vocabulary_size: int | None = None) -> Text:
    return Text(
        repository="tiny/lines",
        config="default",
        revision="main",
        record="record.json",
        level=level,
        end_of_line=end_of_line,
        vocabulary_size=vocabulary_size,
    )


def write_raw(raw: Path, rows: dict[str, list[str]]) -> Path:
    """What a fetch from the Hub would have left."""
    return write_fetched(raw, {split: {"text": pyarrow.array(texts, pyarrow.string())} for split, texts in rows.items()})


def retold(raw: Path, **changes: Any) -> None:
    """As if another corpus had been fetched."""
    write_json(raw / "source.json", json.loads((raw / "source.json").read_text()) | changes)


def processed(corpus: Corpus, raw: Path) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """The card, and the arrays of each split."""
    folder = raw.parent / "processed"
    corpus.preprocess(raw, folder)
    return json.loads((folder / "card.json").read_text()), {s: dict(np.load(folder / f"{s}.npz")) for s in SPLITS}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_importing_the_corpora_imports_no_client() -> None:
    code = "import sys, rnn_lightning.corpora; print({'datasets', 'tokenizers', 'torch'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_words_are_counted_as_published(tmp_path: Path) -> None:
    card, arrays = processed(text("word", end_of_line=True), write_raw(tmp_path / "raw", LINES))
    words = {split: [w for row in rows for w in [*row.split(), "<eos>"]] for split, rows in LINES.items()}
    tokenizer = Tokenizer.from_file(str(tmp_path / "processed/tokenizer.json"))
    known = set(words["train"])
    assert tokenizer.get_vocab().keys() == known
    for split, expected in words.items():
        tokens = arrays[split]["tokens"].tolist()
        assert [tokenizer.id_to_token(token) for token in tokens] == [w if w in known else "<unk>" for w in expected]
        assert arrays[split]["documents"].tolist() == [0, len(expected)] and arrays[split]["scored"].all()
    counts = Counter(words["train"])
    ranks = tokenizer.get_vocab()
    plain = sorted(known - {"<unk>", "<eos>"}, key=ranks.__getitem__)
    assert plain == sorted(plain, key=lambda word: (-counts[word], word))
    assert card["splits"]["test"]["unknown_rate"] == sum(w not in known for w in words["test"]) / len(words["test"])


def test_a_vocabulary_size_keeps_the_most_frequent_words(tmp_path: Path) -> None:
    _, arrays = processed(text("word", True, vocabulary_size=5), write_raw(tmp_path / "raw", LINES))
    tokenizer = Tokenizer.from_file(str(tmp_path / "processed/tokenizer.json"))
    assert tokenizer.get_vocab().keys() == {"<unk>", "<eos>", "the", "cat", "sat"}
    assert arrays["train"]["tokens"].max() == 4


def test_words_are_numbered_by_their_frequency_behind_the_marks(tmp_path: Path) -> None:
    """An adaptive softmax is fast by this order."""
    lines = {**LINES, "train": ["a a a a b b b c c d", "b b c d e"]}
    processed(text("word", True), write_raw(tmp_path / "raw", lines))
    numbers = Tokenizer.from_file(str(tmp_path / "processed/tokenizer.json")).get_vocab()
    assert sorted(numbers, key=numbers.__getitem__)[2:] == ["b", "a", "c", "d", "e"]


@pytest.mark.parametrize(("level", "size"), [("character", None), ("bpe", 270)])
def test_characters_and_byte_pairs_lose_nothing(level: str, size: int | None, tmp_path: Path) -> None:
    _, arrays = processed(text(level, False, size), write_raw(tmp_path / "raw", VERSE))
    tokenizer = Tokenizer.from_file(str(tmp_path / "processed/tokenizer.json"))
    for split, rows in VERSE.items():
        assert tokenizer.decode(arrays[split]["tokens"].tolist()) == rows[0]
        assert tokenizer.decode(tokenizer.encode(rows[0]).ids) == rows[0]
    if level == "character":
        assert tokenizer.get_vocab().keys() == set(VERSE["train"][0])


def test_the_card_counts_as_one_would_by_hand(tmp_path: Path) -> None:
    card, _ = processed(text("word", end_of_line=True), write_raw(tmp_path / "raw", LINES))
    test = card["splits"]["test"]
    lengths = sorted(len(row.split()) + 1 for row in LINES["test"])
    assert (test["documents"], test["tokens"]) == (1, sum(lengths))
    assert test["characters"] == sum(len(row) for row in LINES["test"])
    for percentile, length in test["lengths"].items():
        if percentile != "of":
            assert length == lengths[max(0, math.ceil(int(percentile) / 100 * len(lengths)) - 1)]
    assert test["share_seen_in_train"] == 0.5  # of the two lines with five tokens or more
    assert card["splits"]["train"]["characters"] == sum(len(row.removesuffix("\n")) + 1 for row in LINES["train"])
    for name, value in card["sha256"]["files"].items():
        assert value == sha256(tmp_path / "processed" / name)
    assert card["sha256"]["all"] == sha256(*(tmp_path / "processed" / f"{split}.npz" for split in sorted(SPLITS)))


@pytest.mark.parametrize("level", ["word", "character", "bpe"])
def test_text_gives_the_same_bytes_in_another_process(level: str, tmp_path: Path) -> None:
    size = 270 if level == "bpe" else None
    processed(text(level, False, size), write_raw(tmp_path / "raw", VERSE))
    code = (
        "from pathlib import Path; from rnn_lightning.corpora import Text; Text(repository='tiny/lines', config='default', "
        f"revision='main', record='record.json', level={level!r}, end_of_line=False, vocabulary_size={size})"
        ".preprocess(Path('raw'), Path('again'))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert contents(tmp_path / "again") == contents(tmp_path / "processed")


def test_a_folder_is_whole_or_as_it_was(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "kept") as folder:
        (folder / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "kept") as folder:
        (folder / "file").write_text("new")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert contents(tmp_path / "kept") == {"file": b"old"}
    with whole_folder(tmp_path / "kept") as folder:
        (folder / "other").write_text("new")
    assert contents(tmp_path / "kept") == {"other": b"new"}


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda raw: (raw / "test.parquet").unlink(), "raw/test.parquet is missing"),
        (lambda raw: (raw / "test.parquet").write_bytes(b"PAR1"), "raw/test.parquet is damaged: its SHA-256 is"),
        (lambda raw: (raw / "source.json").unlink(), "raw has no data: fetch the corpus first"),
        (lambda raw: (raw / "source.json").write_text("[]"), "source.json must hold a JSON object, not list"),
        (lambda raw: retold(raw, repository="own/text"), "has repository 'own/text', not 'tiny/lines'; fetch the corpus again"),
        (lambda raw: retold(raw, revision="v2"), "has revision 'v2', not 'main'; fetch the corpus again"),
        (lambda raw: retold(raw, splits={"train": "half"}), "has splits {'train': 'half'}, not None; fetch the corpus again"),
    ],
)
def test_damage_to_fetched_files_is_told_in_one_line(damage: Any, expected: str, tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", LINES)
    damage(raw)
    with pytest.raises(CorpusError) as caught:
        text("word", True).preprocess(raw, tmp_path / "processed")
    assert expected in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "processed").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"test": []}, "test.parquet is empty: it has 0 rows"), ({"test": ["", ""]}, "it has 2 rows and no text")],
)
def test_an_empty_split_is_refused(changes: dict[str, list[str]], expected: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=expected):
        text("word", True).preprocess(write_raw(tmp_path / "raw", LINES | changes), tmp_path / "processed")


def test_characters_that_the_training_split_lacks_are_unknown_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = text("character", False)
    read.preprocess(write_raw(tmp_path / "plain", VERSE), tmp_path / "without")
    read.preprocess(write_raw(tmp_path / "raw", VERSE | {"test": ["zqz"]}), tmp_path / "processed")
    card = json.loads((tmp_path / "processed/card.json").read_text())
    assert card["unknown_characters"] == {"validation": {}, "test": {"q": 1, "z": 2}}
    assert card["splits"]["test"]["unknown_rate"] == 1 and card["splits"]["train"]["unknown_rate"] == 0
    tokens = np.load(tmp_path / "processed/train.npz")["tokens"]
    np.testing.assert_array_equal(tokens - 1, np.load(tmp_path / "without/train.npz")["tokens"])
    assert "<unk>" not in (tmp_path / "without/tokenizer.json").read_text().partition('"vocab"')[2].partition("}")[0]
    said = "the test split has 3 characters that the train split has not ('q', 'z'); they are <unk>"
    assert capsys.readouterr().err == f"preprocess: {said}\n"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: text("syllable", True), r"level must be one of \['word', 'character', 'bpe'\], not 'syllable'"),
        (lambda: text("bpe", True), "vocabulary_size must be at least 257"),
        (lambda: text("character", True, 9), "vocabulary_size must be None for characters"),
    ],
)
def test_arguments_are_checked_at_the_door(make: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        make()


def test_a_tokenizer_that_is_given_is_taken_as_it_is(tmp_path: Path) -> None:
    from dataclasses import replace

    from rnn_lightning.corpora.vocabulary import learn_sentence_tokenizer

    file = str(tmp_path / "given.json")
    given = learn_sentence_tokenizer(["the cat", "a hat"], "word", None)
    given.save(file)
    card, arrays = processed(replace(text("word", True), tokenizer=file), write_raw(tmp_path / "raw", LINES))
    assert card["vocabulary_size"] == given.get_vocab_size()
    assert arrays["test"]["tokens"].tolist() == [
        token for line in LINES["test"] for token in given.encode(line.rstrip("\n")).ids
    ]
    with pytest.raises(ValueError, match=r"end_of_line must be true: the tokenizer .* ends each line with <eos>"):
        replace(text("word", False), tokenizer=file)
    with pytest.raises(ValueError, match=r"vocabulary_size must be None, not 9: the tokenizer .* decides it"):
        replace(text("word", True, 9), tokenizer=file)
    with pytest.raises(CorpusError, match=r"corpus.tokenizer: none.json is no tokenizer"):
        replace(text("word", True), tokenizer="none.json").preprocess(tmp_path / "raw", tmp_path / "other")
