"""What files of tags on people's disks look like: borders of documents, line ends, comments, irregular and unknown tags."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import made

from rnn_lightning.corpora import SPLITS, CorpusError, TaggedFiles
from rnn_lightning.tag_schemes import irregular_steps, regular, scheme_of, spans_of

NAMES = "Ada B-PER\nL. I-PER\nsat O\n\nin O\nRome B-LOC\n"


def read(folder: Path, texts: dict[str, str | bytes], **settings: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """The text of each split as it was read, and the card; splits that are not given are `NAMES`."""
    folder.mkdir(exist_ok=True)
    files = {split: folder / f"{split}.conll" for split in SPLITS}
    for split, file in files.items():
        text = texts.get(split, NAMES)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    processed = made(TaggedFiles(**{"files": files, "word": 1, "tag": 2, **settings}), folder) / "processed"
    texts_read = {split: (processed / f"{split}.txt").read_text() for split in SPLITS}
    return texts_read, json.loads((processed / "card.json").read_text())


FORMS: dict[str, tuple[str, dict[str, Any], str]] = {
    "documents": ("-DOCSTART- -X- -X- O\n\na . . X\n\n-DOCSTART- -X- O O\n\nb . . X\n", {"tag": 4}, "a X|b X"),
    "a document without a blank line": ("a X\n-DOCSTART- O\nb X\n", {}, "a X|b X"),
    "a document of one column": ("-DOCSTART-\n\na X\n", {}, "a X"),
    "documents between tabs": ("-DOCSTART-\tO\n\na\tX\n", {"separator": "tab"}, "a X"),
    "CR": ("a X\rb X\r\rc X\r", {}, "a X;b X|c X"),
    "CRLF": ("a X\r\nb X\r\n\r\nc X", {}, "a X;b X|c X"),
    "both": ("a X\nb X\r\n\rc X\n", {}, "a X;b X|c X"),
    "mark": ("\ufeffa X\n", {}, "a X"),
    "# first": ("# X\na X\n\n# X\n", {}, "# X;a X|# X"),
    "# alone": ("# X\n", {}, "# X"),
    "# between tabs": ("#\tX\n\n#\tX\n", {"separator": "tab"}, "# X|# X"),
    "comment": ("# text = a b\n# a comment of more columns\na X\n\n# id = 2\nb X\n", {}, "a X|b X"),
    "comment of as many columns": ("# id = 1\na . . X\n", {"tag": 4}, "a X"),
    "CoNLL-U": (
        "# text = #a\n#newpar\n1-2\t#a\t_\n1\t#\tX\n# within\n2\ta\tX\n2.1\tgone\tY\n\n",
        {"word": 2, "tag": 3, "numbered": True, "separator": "tab"},
        "# X;a X",
    ),
    "no-break space": ("20\u00a0000 X\n\u3000 X\na\u2028b X\nc\u0085d X\n", {}, "20\u00a0000 X;\u3000 X;a\u2028b X;c\u0085d X"),
    "many blanks": ("  a  \t X  \n \t \nb X\n", {}, "a X|b X"),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_form_is_read(case: str, tmp_path: Path) -> None:
    text, settings, expected = FORMS[case]
    texts, card = read(tmp_path, dict.fromkeys(SPLITS, text), **settings)
    sentences = [sentence.split(";") for sentence in expected.split("|")]
    lines = "".join("".join("\t".join(word.rsplit(" ", 1)) + "\n" for word in words) + "\n" for words in sentences)
    assert texts["test"] == lines and card["tags"] == ["X"]
    assert card["left_out"]["test"] == {"words": 0, "sentences": 0}


def test_tags_that_the_training_lacks_come_last_and_are_told(tmp_path: Path) -> None:
    texts, card = read(tmp_path, {"test": "Ada B-PER\nsings B-ART\nand B-ART\n", "validation": "in A\n" + NAMES * 5})
    assert card["tags"] == ["B-LOC", "B-PER", "I-PER", "O", "A", "B-ART"] and card["num_tags"] == 6
    assert card["unknown_tags"] == {"validation": {"A": 1}, "test": {"B-ART": 2}}
    assert texts["test"] == "Ada\tB-PER\nsings\tB-ART\nand\tB-ART\n\n"


@pytest.mark.parametrize("repair", [False, True])
def test_irregular_tags_are_named_and_can_be_repaired(repair: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = NAMES + "Ford I-ORG\nMay I-PER\n" + "\nof I-ORG\n" * 5
    texts, card = read(tmp_path, {"train": text}, repair=repair)
    told = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'train.conll'}:7 (copied to " in told[0]
    assert told[0].endswith("raw/train.conll): 'Ford' has the tag 'I-ORG', which BIO forbids there")
    assert len(told) == 4 and told[3].startswith("preprocess: the train split has 7 tags that BIO forbids; ")
    entry = card["irregular_tags"]
    assert entry["scheme"] == "BIO" and entry["repaired"] == repair and len(entry["first"]["train"]) == 3
    assert entry["counts"] == {"train": 7, "validation": 0, "test": 0}
    assert texts["train"].split("\n")[6:8] == (["Ford\tB-ORG", "May\tB-PER"] if repair else ["Ford\tI-ORG", "May\tI-PER"])


def test_repair_needs_tags_of_spans(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"repair is for tags of BIO or BIOES, and these are of neither$"):
        read(tmp_path, dict.fromkeys(SPLITS, "a X\n"), repair=True)
    assert read(tmp_path / "plain", dict.fromkeys(SPLITS, "a X\n"))[1]["irregular_tags"] is None


@pytest.mark.parametrize(
    ("tags", "scheme", "steps", "written"),
    [
        ("O I-A", "BIO", [1], "O B-A"),
        ("B-A I-B I-B", "BIO", [1], "B-A B-B I-B"),
        ("B-A I-A O", "BIO", [], "B-A I-A O"),
        ("B-A 0 I-A", "BIO", [1, 2], "B-A O B-A"),
        ("I I", "BIO", [0], "B I"),
        ("B-A", "BIOES", [0], "S-A"),
        ("O I-A E-A B-B", "BIOES", [1, 3], "O B-A E-A S-B"),
        ("B-A I-A O E-A", "BIOES", [2, 3], "B-A E-A O S-A"),
        ("B-A E-A S-B", "BIOES", [], "B-A E-A S-B"),
        ("", "BIO", [], ""),
    ],
)
def test_irregular_tags_are_written_as_their_spans(tags: str, scheme: str, steps: list[int], written: str) -> None:
    row = tags.split()
    assert irregular_steps(row, scheme) == steps and regular(row, scheme) == written.split()
    assert irregular_steps(regular(row, scheme), scheme) == []
    if "0" not in row:
        assert spans_of(regular(row, scheme), scheme) == spans_of(row, scheme)


@pytest.mark.parametrize(
    ("counts", "scheme"),
    [
        ({"O": 90, "B-A": 5, "I-A": 4, "0": 1}, "BIO"),
        ({"O": 90, "B-A": 4, "E-A": 4, "S-A": 2}, "BIOES"),
        ({"NOUN": 3, "I": 2}, None),
        ({"B-A": 1, "NOUN": 9}, None),
        ({}, None),
    ],
)
def test_the_scheme_is_that_of_most_tags(counts: dict[str, int], scheme: str | None) -> None:
    assert scheme_of(counts) == scheme
