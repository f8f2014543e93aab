"""Local files of columns: read as the Hub's rows, comments and empty sentences told from words, faults told with their line."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import made

from rnn_lightning.corpora import SPLITS, CorpusError, TaggedFiles

COLUMNS = {
    "train": "# sent_id = 1\n1\tThe\tthe\tDET\n2\tdog\tdog\tNOUN\n\n\n"
    "1-2\tdon't\t_\t_\n1\tdo\tdo\tVERB\n2\tn't\tnot\tNOUN\n2.1\te\te\tVERB\n",
    "validation": "\ufeff# text = x\n# more\n1\tdogs\tdog\tNOUN\r\n\n",
    "test": "1\tdo\tdo\tVERB\n",
}


def write_files(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    for split, text in texts.items():
        (folder / f"my-{split}.conllu").write_bytes(text.encode())
    return {split: folder / f"my-{split}.conllu" for split in texts}


def from_files(folder: Path, texts: dict[str, str], **changes: Any) -> Path:
    corpus = TaggedFiles(**{"files": write_files(folder, texts), "word": 2, "tag": 4, "numbered": True, **changes})
    return made(corpus, folder) / "processed"


def test_files_of_columns_are_read_as_the_hub_s_rows(tmp_path: Path) -> None:
    folder = from_files(tmp_path, COLUMNS, separator="tab", licence="cc0-1.0")
    assert (folder / "train.txt").read_text() == "The\tDET\ndog\tNOUN\n\ndo\tVERB\nn't\tNOUN\n\n"
    assert (folder / "validation.txt").read_text() == "dogs\tNOUN\n\n"
    assert (folder / "test.txt").read_text() == "do\tVERB\n\n"
    card = json.loads((folder / "card.json").read_text())
    assert [card["left_out"][split]["sentences"] for split in SPLITS] == [1, 0, 0] and card["licence"] == "cc0-1.0"
    assert card["title"] == "my-train.conllu, my-validation.conllu, my-test.conllu, column 4"


def test_a_number_sign_within_a_sentence_is_a_word(tmp_path: Path) -> None:
    texts = dict.fromkeys(SPLITS, "# 1 is a comment\na X\n# X\n\n#b Y\n")
    folder = from_files(tmp_path, texts, word=1, tag=2, numbered=False)
    assert (folder / "test.txt").read_text() == "a\tX\n#\tX\n\n#b\tY\n\n"


def test_another_file_than_the_one_that_was_fetched_is_refused(tmp_path: Path) -> None:
    first = TaggedFiles(files=write_files(tmp_path, COLUMNS), word=2, tag=4, numbered=True)
    first.fetch(tmp_path / "raw")
    (tmp_path / "v2").mkdir()
    files = write_files(tmp_path / "v2", COLUMNS | {"test": COLUMNS["train"]})
    with pytest.raises(CorpusError, match=r"v2/my-test.conllu is not the file that was fetched to .*raw; fetch the"):
        TaggedFiles(files=files, word=2, tag=4, numbered=True).preprocess(tmp_path / "raw", tmp_path / "processed")
    for file in tmp_path.glob("**/*.conllu"):
        file.unlink()
    first.preprocess(tmp_path / "raw", tmp_path / "processed")  # what was fetched is enough
    with pytest.raises(CorpusError, match=r"has names \{.*my-train.*, not \{.*other"):
        TaggedFiles(files=dict.fromkeys(SPLITS, "other"), word=2, tag=4).preprocess(tmp_path / "raw", tmp_path / "processed")


BROKEN: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "fewer": (
        {"train": "1 a a X\n2 b b\n"},
        {},
        r"train.conllu:2 \(copied to .*/train.conll\) has 3 columns, not 4 as the first line$",
    ),
    "more": (
        {"test": "\n1 a a X\n2 b b X 9\n"},
        {},
        r"test.conllu:3 \(copied to .*/test.conll\) has 5 columns, not 4 as the first line$",
    ),
    "none": (
        {"validation": "1 a X\n"},
        {},
        r"validation.conllu:1 \(copied to .*/validation.conll\) has 3 columns, and so no column 4$",
    ),
    "no tag": (
        {"train": "1\ta\ta\tX\n2\tb\tb\t\n"},
        {"separator": "tab"},
        r"train.conllu:2 \(copied to .*/train.conll\): the word 'b' has no tag$",
    ),
    "bytes": (
        {"test": "1 a a X\n1 \udcff a X\n"},
        {},
        r"test.conllu:2 is not UTF-8 at byte 3: save it .* \(copied to .*/test.conll\)$",
    ),
    "empty": ({"test": "\n# nothing\n\n"}, {}, r"column 4: the test split has no words$"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    texts, changes, expected = BROKEN[case]
    files = write_files(tmp_path, dict.fromkeys(SPLITS, "1\ta\ta\tX\n"))
    for split, text in texts.items():
        files[split].write_bytes(text.encode(errors="surrogateescape"))
    corpus = TaggedFiles(**{"files": files, "word": 2, "tag": 4, **changes})
    corpus.fetch(tmp_path / "raw")
    with pytest.raises(CorpusError, match=expected) as caught:
        corpus.preprocess(tmp_path / "raw", tmp_path / "processed")
    assert "\n" not in str(caught.value) and not (tmp_path / "processed").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"files": {"train": "a"}}, r"files must name one for each of .*, not \['train'\]"),
        ({"word": 0}, "word and tag must be two columns, counted from 1, not 0 and 4"),
        ({"separator": ","}, r"separator must be one of \['blank', 'tab'\], not ','"),
    ],
)
def test_files_are_checked_at_the_door(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        TaggedFiles(**{"files": dict.fromkeys(SPLITS, "x"), "word": 2, "tag": 4, **changes})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere.conll is missing; files must name local files"):
        TaggedFiles(files=dict.fromkeys(SPLITS, tmp_path / "nowhere.conll"), word=1, tag=2).fetch(tmp_path / "raw")
