"""Translations as pairs of sequences: against naive counts, text and back again, and faults told in one line."""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from corpora import contents, fetched_from_hub, rows_of, two_columns, write_fetched
from tokenizers import Tokenizer

from rnn_lightning.corpora import SPLITS, CorpusError, Translation
from rnn_lightning.files import sha256

PAIRS = {
    "train": [
        ("Ein Mann steht, und ein Hund läuft.", "A man stands, and a dog runs."),
        ("Ein Hund läuft.", "A dog runs."),
        ("", "Nobody."),
        ("Niemand.", "  \n "),
        ("Der  Mann's \tT-Shirt („grün“) kostet 3,50 €!", "The man's  T-shirt ('green') costs 3.50 €!"),
        ("<eos> ist\nein <unk> Hund", "<eos> is\r\na <unk> dog "),
    ],
    "validation": [("Ein Hund läuft.", "A dog runs."), ("", ""), ("Ein Hund läuft.", "A man runs.")],
    "test": [("Eine Katze 猫 läuft…", "A cat 猫 runs…"), (" Ein Mann steht.", "A man stands.")],
}
LEVELS: dict[str, dict[str, Any]] = {
    "word": {"level": "word"},
    "rare": {"level": "word", "min_frequency": 2, "lowercase": True},
    "joint": {"level": "word", "joint": True, "vocabulary_size": 12},
    "character": {"level": "character"},
    "bpe": {"level": "bpe", "vocabulary_size": 280},
    "joint_bpe": {"level": "bpe", "vocabulary_size": 290, "joint": True, "lowercase": True},
}


def translation(**changes: Any) -> Translation:
    plain: dict[str, Any] = {"repository": "tiny/lines", "config": "default", "revision": "main", "record": "record.json"}
    return Translation(**{**plain, "source": "de", "target": "en", "level": "word", **changes})


def processed(folder: Path, **changes: Any) -> tuple[Path, dict[str, Any]]:
    """The processed folder and its card."""
    translation(**changes).preprocess(write_fetched(folder / "raw", two_columns(PAIRS)), folder / "processed")
    return folder / "processed", json.loads((folder / "processed/card.json").read_text(encoding="utf-8"))


def agree(one: Path, other: Path) -> bool:
    """Whether two processed folders have the same bytes but for what their cards say of the source."""
    files = [contents(folder) for folder in (one, other)]
    return files[0].keys() == files[1].keys() and {name for name in files[0] if files[0][name] != files[1][name]} <= {
        "card.json",
        "SHA256SUMS",
    }


def kept(split: str) -> list[tuple[str, str]]:
    """The rows that a split should keep, each side on one line."""
    lines = [tuple(re.sub(r"\r\n|\n", " ", text).strip() for text in pair) for pair in PAIRS[split]]
    return [(source, target) for source, target in lines if split != "train" or (source and target)]


@pytest.mark.parametrize("setting", LEVELS)
def test_rows_end_once_and_stand_beside_their_text(setting: str, tmp_path: Path) -> None:
    folder, card = processed(tmp_path, **LEVELS[setting])
    ends = {"input": card["end"], "target": card["target_end"]}
    sizes = {"input": card["vocabulary_size"], "target": card["target_vocabulary_size"]}
    for split in SPLITS:
        for side, (name, key) in enumerate((("source", "input"), ("target", "target"))):
            text = (folder / f"{split}.{name}.txt").read_bytes().decode()
            assert text == "".join(f"{pair[side]}\n" for pair in kept(split))
            rows = rows_of(folder, split, key)
            assert len(rows) == len(kept(split))
            assert all(row[-1] == ends[key] and ends[key] not in row[:-1] for row in rows)
            assert all(0 <= token < sizes[key] for row in rows for token in row)
        assert {array.dtype for array in np.load(folder / f"{split}.npz").values()} == {np.dtype("int32"), np.dtype("int64")}
    assert card["dropped_rows"] == {"empty": 2, "long": 0}


@pytest.mark.parametrize("setting", ["word", "rare", "joint"])
def test_words_are_split_and_counted_as_by_hand(setting: str, tmp_path: Path) -> None:
    told = {"min_frequency": 1, "lowercase": False, "joint": False, "vocabulary_size": None, **LEVELS[setting]}
    folder, card = processed(tmp_path, **LEVELS[setting])

    def words(split: str, side: int) -> list[list[str]]:
        lines = [pair[side].lower() if told["lowercase"] else pair[side] for pair in kept(split)]
        return [re.findall(r"\w+|[^\w\s]+", line) for line in lines]

    for side, (name, key) in enumerate((("tokenizer", "input"), ("target_tokenizer", "target"))):
        learned = words("train", 0) + words("train", 1) if told["joint"] else words("train", side)
        counts = Counter(word for line in learned for word in line)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        frequent = [word for word in ranked if counts[word] >= told["min_frequency"]]
        known = ["<unk>", "<eos>", *frequent][: told["vocabulary_size"]]
        tokenizer = Tokenizer.from_file(str(folder / f"{name}.json"))
        assert sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__) == known
        for split in SPLITS:
            expected = [[word if word in known else "<unk>" for word in line] for line in words(split, side)]
            found = rows_of(folder, split, key)
            assert [[known[token] for token in row] for row in found] == [[*line, "<eos>"] for line in expected]
            assert [tokenizer.decode(row[:-1]) for row in found] == [" ".join(line) for line in expected]
            rate = sum(line.count("<unk>") for line in expected) / sum(map(len, found))
            assert card["splits"][split]["unknown_rate" if side == 0 else "target_unknown_rate"] == pytest.approx(rate)


@pytest.mark.parametrize("setting", ["character", "bpe", "joint_bpe"])
def test_characters_and_byte_pairs_come_back_as_they_were(setting: str, tmp_path: Path) -> None:
    folder, card = processed(tmp_path, **LEVELS[setting])
    for side, (name, key) in enumerate((("tokenizer", "input"), ("target_tokenizer", "target"))):
        tokenizer = Tokenizer.from_file(str(folder / f"{name}.json"))
        known = {character for pair in kept("train") for character in pair[side]}
        for split in SPLITS:
            for row, pair in zip(rows_of(folder, split, key), kept(split), strict=True):
                text = pair[side].lower() if LEVELS[setting].get("lowercase") else pair[side]
                if setting == "character":
                    text = "".join(character if character in known else "<unk>" for character in text)
                assert tokenizer.decode(row[:-1]) == text
                assert tokenizer.encode(f" {pair[side]} ").ids == row
    rate = card["splits"]["test"]["unknown_rate"]
    assert rate is None if "bpe" in setting else rate > 0


def test_a_first_word_is_read_like_any_other(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(processed(tmp_path, **LEVELS["bpe"])[0] / "tokenizer.json"))
    assert tokenizer.encode("Hund Hund").ids[:-1] == 2 * tokenizer.encode("Hund").ids[:-1]


@pytest.mark.parametrize("setting", ["word", "bpe"])
def test_joint_sides_have_one_tokenizer_and_others_two(setting: str, tmp_path: Path) -> None:
    for joint in (True, False):
        folder, card = processed(tmp_path / str(joint), joint=joint, **LEVELS[setting])
        same = (folder / "tokenizer.json").read_bytes() == (folder / "target_tokenizer.json").read_bytes()
        assert same == joint == card["joint"]


def test_only_training_pairs_are_dropped_for_their_length(tmp_path: Path) -> None:
    folder, card = processed(tmp_path, longest=4)
    assert rows_of(folder, "train", "input") and card["splits"]["train"]["rows"] == 1
    assert (folder / "train.source.txt").read_text(encoding="utf-8") == "Ein Hund läuft.\n"
    assert card["dropped_rows"] == {"empty": 2, "long": 3} and card["longest"] == 4
    assert [card["splits"][split]["rows"] for split in ("validation", "test")] == [3, 2]
    assert rows_of(folder, "validation", "target")[1] == [card["target_end"]]
    assert "steht" in Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()  # learned before anything is dropped


def test_the_card_measures_both_sides(tmp_path: Path) -> None:
    folder, card = processed(tmp_path)
    assert card["title"] == "tiny/lines (default), de to en by word" and card["licence"] == "cc0-1.0"
    for split, side in ((split, side) for split in SPLITS for side in ("input", "target")):
        lengths = sorted(map(len, rows_of(folder, split, side)))
        told = dict(card["splits"][split]["lengths" if side == "input" else "target_lengths"])
        assert told.pop("of") == "row"
        assert all(told[q] == lengths[max(0, math.ceil(int(q) / 100 * len(lengths)) - 1)] for q in told)
    seen = {split: card["splits"][split]["share_seen_in_train"] for split in SPLITS}
    pairs = {split: card["splits"][split]["share_pairs_seen_in_train"] for split in SPLITS}
    assert seen == {"train": None, "validation": pytest.approx(2 / 3), "test": 0}
    assert pairs == {"train": None, "validation": pytest.approx(1 / 3), "test": 0}
    files = [folder / f"{split}.{end}" for split in SPLITS for end in ("npz", "source.txt", "target.txt")]
    assert card["sha256"]["all"] == sha256(*sorted(files))
    assert card["sha256"]["files"] == {
        path.name: sha256(path) for path in folder.iterdir() if path.suffix in (".npz", ".txt") or "tokenizer" in path.name
    }


def test_a_translation_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    folder, _ = processed(tmp_path, **LEVELS["joint_bpe"])
    code = (
        "from pathlib import Path; from rnn_lightning.corpora import Translation; Translation(repository='tiny/lines', "
        f"config='default', revision='main', record='record.json', source='de', target='en', **{LEVELS['joint_bpe']!r})"
        ".preprocess(Path('raw'), Path('again'))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert contents(tmp_path / "again") == contents(folder)


def test_columns_of_structs_and_missing_texts_are_read(tmp_path: Path) -> None:
    structs = {
        split: {"translation": pyarrow.array([{"de": de or None, "en": en or None} for de, en in rows])}
        for split, rows in PAIRS.items()
    }
    corpus = translation(source="translation.de", target="translation.en")
    corpus.preprocess(write_fetched(tmp_path / "structs/raw", structs), tmp_path / "structs/processed")
    assert agree(tmp_path / "structs/processed", processed(tmp_path)[0])


REFUSED: dict[str, tuple[dict[str, list[Any]], dict[str, Any], str]] = {
    "misspelt": ({}, {"target": "eng"}, r"train.parquet has no column 'eng', only \['de', 'en'\]$"),
    "numbers": ({"train": [(1, "a")]}, {}, r"train.parquet has no text in column 'de', but int64$"),
    "empty": ({"test": []}, {}, r"test.parquet is empty: it has 0 rows and no text in column 'de'$"),
    "blank": ({"test": [("a", "")]}, {}, r"test.parquet is empty: it has 1 rows and no text in column 'en'$"),
    "alternating": ({"train": [("a", ""), ("", "b")]}, {}, r"by word: no training pair has text on both sides$"),
    "long": ({}, {"longest": 1}, r"no training pair has text on both sides, and at most 1 tokens$"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_translation_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    rows, changes, expected = REFUSED[case]
    raw = write_fetched(tmp_path / "raw", two_columns({**PAIRS, **rows}))
    with pytest.raises(CorpusError, match=expected) as caught:
        translation(**changes).preprocess(raw, tmp_path / "processed")
    assert "\n" not in str(caught.value) and not (tmp_path / "processed").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"level": "syllable"}, r"level must be one of \['word', 'character', 'bpe'\], not 'syllable'"),
        ({"level": "bpe"}, "vocabulary_size must be at least 257"),
        ({"level": "bpe", "vocabulary_size": 300, "min_frequency": 2}, "min_frequency must be 1 for level 'bpe', .* not 2"),
        ({"min_frequency": 0}, "min_frequency must be at least 1, not 0"),
        ({"longest": 0}, "longest must be at least 1, or None for any length, not 0"),
        ({"target": "de"}, "source and target must be two columns, not both 'de'"),
    ],
)
def test_arguments_are_checked_at_the_door(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        translation(**changes)


def test_a_data_set_laid_out_like_multi30k_is_fetched(tmp_path: Path) -> None:
    names = {"train": "train", "validation": "val", "test": "test"}
    rows = {name: [{"en": en, "de": de} for de, en in PAIRS[split]] for split, name in names.items()}
    counts = {split: len(some) for split, some in PAIRS.items()}
    folder = fetched_from_hub(tmp_path, rows, "Translation", source="de", target="en", level="word", rows=counts)
    assert agree(folder, processed(tmp_path / "by_hand")[0])
