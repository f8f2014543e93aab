"""Tagged corpora: against naive counts, back to the text they came from, and faults told with their place."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from corpora import LINES, contents, fetched_from_hub, write_fetched
from pyarrow import parquet

from rnn_lightning.corpora import SPLITS, CorpusError, Tagging
from rnn_lightning.corpora.lexicon import Lexicon, shortened
from rnn_lightning.files import sha256, write_json
from rnn_lightning.symbols import PADDING, UNKNOWN_CHARACTER, UNKNOWN_WORD

NAMES = ["NOUN", "VERB", "DET", "_", "INTJ"]
ROWS: dict[str, list[tuple[list[str], list[str]]]] = {
    "train": [
        (["The", "dog", "barks"], ["DET", "NOUN", "VERB"]),
        ([], []),
        (["don't", "do", "n't", "Bark"], ["_", "VERB", "NOUN", "VERB"]),
        (["the", "猫", "20 000"], ["DET", "NOUN", "NOUN"]),
        (["don't"], ["_"]),
    ],
    "validation": [(["The", "dog", "the", "Löwe"], ["DET", "NOUN", "DET", "NOUN"])],
    "test": [(["x" * 50, "the", ""], ["NOUN", "DET", "VERB"]), (["#", "dog"], ["VERB", "NOUN"])],
}
LEFT_OUT = {"leave_out": ["_"]}


def columns(rows: dict[str, list[tuple[list[str], list[str]]]], *, labels: bool = False) -> dict[str, dict[str, Any]]:
    """The columns of each split; tags as text, or by their numbers."""
    text = pyarrow.list_(pyarrow.string())
    tables = {}
    for split, some in rows.items():
        tags = [[NAMES.index(tag) for tag in tags] if labels else tags for _, tags in some]
        tables[split] = {
            "idx": [f"{split}-{place}" for place in range(len(some))],
            "tokens": pyarrow.array([words for words, _ in some], text),
            "upos": pyarrow.array(tags, pyarrow.list_(pyarrow.int64()) if labels else text),
        }
    return tables


def tagging(**changes: Any) -> Tagging:
    plain: dict[str, Any] = {"repository": "tiny/lines", "config": "default", "revision": "main", "record": "record.json"}
    return Tagging(**{**plain, "words": "tokens", "tags": "upos", "row": "idx", **LEFT_OUT, **changes})


def processed(folder: Path, rows: dict[str, list[tuple[list[str], list[str]]]] = ROWS, **changes: Any) -> tuple[Path, dict]:
    """The processed folder and its card."""
    tagging(**changes).preprocess(write_fetched(folder / "raw", columns(rows)), folder / "processed")
    return folder / "processed", json.loads((folder / "processed/card.json").read_text(encoding="utf-8"))


def kept(split: str) -> list[list[tuple[str, str]]]:
    """The sentences that a split should keep."""
    sentences = [[pair for pair in zip(*row, strict=True) if pair[1] != "_"] for row in ROWS[split]]
    return [sentence for sentence in sentences if sentence]


def read_back(folder: Path, split: str) -> list[list[tuple[str, str, str]]]:
    """Word, spelling and tag of each word, by the lexicon alone; what it lacks in question marks."""
    lexicon = json.loads((folder / "lexicon.json").read_text(encoding="utf-8"))
    words, spelled = ["?", *lexicon["words"]], ["", "?", *lexicon["characters"]]
    arrays = np.load(folder / f"{split}.npz")
    assert arrays["input_offsets"].tolist() == arrays["target_offsets"].tolist()
    letters = [
        "".join(spelled[c] for c in arrays["characters"][start:stop]) for start, stop in pairwise(arrays["character_offsets"])
    ]
    tags = [lexicon["tags"][tag] for tag in arrays["targets"]]
    flat = list(zip((words[word] for word in arrays["inputs"]), letters, tags, strict=True))
    return [flat[start:stop] for start, stop in pairwise(arrays["input_offsets"])]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("min_frequency", [1, 2])
def test_the_lexicon_reads_back_what_the_arrays_hold(lowercase: bool, min_frequency: int, tmp_path: Path) -> None:
    folder, card = processed(tmp_path, lowercase=lowercase, min_frequency=min_frequency)

    def entry(word: str) -> str:
        return word.lower() if lowercase else word

    seen = Counter(entry(word) for sentence in kept("train") for word, _ in sentence)
    known = {word for word in seen if seen[word] >= min_frequency}
    letters = {letter for sentence in kept("train") for word, _ in sentence for letter in word}
    for split in SPLITS:
        unknown, total = 0, 0
        for found, expected in zip(read_back(folder, split), kept(split), strict=True):
            for (word, spelled, tag), (text, right) in zip(found, expected, strict=True):
                cut = text if len(text) <= 40 else text[:20] + text[-20:]
                assert (word, tag) == (entry(text) if entry(text) in known else "?", right)
                assert spelled == "".join(letter if letter in letters else "?" for letter in cut)
                unknown, total = unknown + (word == "?"), total + 1
        assert card["splits"][split]["unknown_rate"] == pytest.approx(unknown / total)
        text = "".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) + "\n" for sentence in kept(split))
        assert (folder / f"{split}.txt").read_text(encoding="utf-8") == text
        assert card["tag_counts"][split] == Counter(tag for sentence in kept(split) for _, tag in sentence)
    assert card["vocabulary_size"] == len(known) + 1 and card["num_characters"] == len(letters) + 2
    assert card["tags"] == ["DET", "NOUN", "VERB"] and card["num_tags"] == 3 and card["vectors"] is None
    assert card["left_out"] == {
        "train": {"words": 2, "sentences": 2},
        "validation": {"words": 0, "sentences": 0},
        "test": {"words": 0, "sentences": 0},
    }


def test_class_labels_and_text_give_the_same(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    features = Features({"idx": Value("string"), "tokens": List(Value("string")), "upos": List(ClassLabel(names=NAMES))})
    raw = write_fetched(tmp_path / "labels", columns(ROWS, labels=True))
    for split, table in columns(ROWS, labels=True).items():
        plain = {name: column if isinstance(column, list) else column.to_pylist() for name, column in table.items()}
        Dataset.from_dict(plain, features=features).to_parquet(raw / f"{split}.parquet")
    files = {file.name: sha256(file) for file in raw.glob("*.parquet")}
    write_json(raw / "source.json", {**LINES, "licence": "cc0-1.0", "files": files})
    tagging().preprocess(raw, tmp_path / "from_labels")
    ours, theirs = contents(processed(tmp_path)[0]), contents(tmp_path / "from_labels")
    assert {name for name in ours if ours[name] != theirs[name]} <= {"card.json", "SHA256SUMS"}


@pytest.mark.parametrize("tag", [-1, 3])
def test_a_class_label_without_a_name_is_refused(tmp_path: Path, tag: int) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    kinds = Features({"idx": Value("string"), "tokens": List(Value("string")), "upos": List(ClassLabel(names=NAMES[:3]))})
    Dataset.from_dict({"idx": ["a"], "tokens": [["oh"]], "upos": [[0]]}, features=kinds).to_parquet(tmp_path / "test.parquet")
    table = parquet.read_table(tmp_path / "test.parquet")
    unnamed = pyarrow.array([[tag]], table.schema.field("upos").type)
    parquet.write_table(table.set_column(2, table.schema.field("upos"), unnamed), tmp_path / "test.parquet")
    with pytest.raises(CorpusError, match=rf"row a of .* has the tag {tag}; column 'upos' has names for 0\.\.2$"):
        list(tagging().read(tmp_path / "test.parquet"))


def changed(split: str, words: Any, tags: Any) -> dict[str, list[tuple[list[str], list[str]]]]:
    return {**ROWS, split: [*ROWS[split], (words, tags)]}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "count": (changed("train", ["a", "b"], ["DET"]), {}, r"row train-5 of .*train.parquet has 2 words and 1 tags; each word"),
    "unnamed": (changed("train", ["a"], []), {"row": None}, r"row 5 of .*train.parquet has 1 words and 0 tags"),
    "tag": (changed("test", ["oh"], [""]), {}, r"row test-2 of .*test.parquet: the word 'oh' has no tag$"),
    "gap": (changed("test", ["oh", None], ["DET", "DET"]), {}, r"row test-2 of .* has gaps in column 'tokens' or 'upos'$"),
    "tab": (changed("test", ["o\th"], ["DET"]), {}, r"row test-2 of .*: the word 'o\\th' has a tab or a line break in it$"),
    "column": (ROWS, {"tags": "xpos"}, r"train.parquet has no column 'xpos', only \['idx', 'tokens', 'upos'\]$"),
    "text": (
        ROWS,
        {"tags": "idx", "row": None},
        r"has no tags in column 'idx', but string; tags are lists of text or of named",
    ),
    "empty": ({**ROWS, "test": [(["a"], ["_"])]}, {}, r"tiny/lines \(default\), upos: the test split has no words$"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_tagged_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    rows, changes, expected = REFUSED[case]
    with pytest.raises(CorpusError, match=expected) as caught:
        processed(tmp_path, rows, **changes)
    assert "\n" not in str(caught.value) and not (tmp_path / "processed").exists()


def test_words_without_a_tag_are_left_out_where_those_of_no_tag_are(tmp_path: Path) -> None:
    """Multi-word rows of a treebank hold no tag of a language."""
    rows = changed("train", ["don't", "do"], [None, "VERB"])
    folder, card = processed(tmp_path / "left_out", rows)
    assert card["left_out"]["train"]["words"] == 3
    assert (folder / "train.txt").read_text(encoding="utf-8").endswith("\ndo\tVERB\n\n")
    with pytest.raises(CorpusError, match=r"row train-5 of .* has gaps in column 'tokens' or 'upos'$"):
        processed(tmp_path / "kept", rows, leave_out=["X"])


def test_numbers_without_names_are_no_tags(tmp_path: Path) -> None:
    raw = write_fetched(tmp_path / "raw", columns(ROWS, labels=True))
    with pytest.raises(CorpusError, match=r"has no tags in column 'upos', but list<.*int64>; tags are"):
        tagging().preprocess(raw, tmp_path / "processed")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tags": "tokens"}, "words and tags must be two columns, not both 'tokens'"),
        ({"min_frequency": 0}, "min_frequency must be at least 1, not 0"),
        ({"longest_word": 0}, "longest_word must be at least 1, not 0"),
        ({"leave_out": "_"}, "leave_out must be a list of tags, not '_'"),
    ],
)
def test_arguments_are_checked_at_the_door(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        tagging(**changes)


def test_reserved_numbers_stand_for_no_word_and_no_character_of_the_lexicon() -> None:
    encoded = Lexicon.learn(["ab", "b"], ["X"]).encode([["ab", "b", "zb"]])
    words = encoded.inputs[:]
    assert (words > UNKNOWN_WORD).tolist() == [True, True, False] and words[2] == UNKNOWN_WORD
    assert encoded.characters is not None and PADDING not in encoded.characters[:]
    assert (encoded.characters == UNKNOWN_CHARACTER).tolist() == [False, False, False, True, False]


def test_long_words_keep_their_beginning_and_their_end() -> None:
    for longest in range(1, 12):
        for length in range(14):
            word = "abcdefghijklmn"[:length]
            cut = shortened(word, longest)
            assert len(cut) == min(length, longest)
            half = -(-len(cut) // 2)
            assert word.startswith(cut[:half]) and word.endswith(cut[half:])
    assert shortened("abcdefgh", 5) == "abcgh"


def test_a_lexicon_is_read_as_it_was_written(tmp_path: Path) -> None:
    lexicon = Lexicon.learn(["The", "the", "é\u2028"], ["B", "A"], lowercase=True, longest_word=3)
    (tmp_path / "lexicon.json").write_text(lexicon.text(), encoding="utf-8")
    assert Lexicon.read(tmp_path / "lexicon.json") == lexicon
    assert lexicon.words == ["the", "é\u2028"] and lexicon.tags == ["A", "B"] and lexicon.sizes == (3, 8, 2)
    (tmp_path / "lexicon.json").write_text('{"word": []}')
    with pytest.raises(CorpusError, match=r"lexicon.json is no lexicon: .*'word'"):
        Lexicon.read(tmp_path / "lexicon.json")


def test_a_tagged_data_set_is_fetched(tmp_path: Path) -> None:
    rows = {
        split: [{"idx": f"{split}-{n}", "tokens": words, "upos": tags} for n, (words, tags) in enumerate(some)]
        for split, some in ROWS.items()
    }
    columns_of = {"words": "tokens", "tags": "upos", "row": "idx"}
    counts = {split: len(some) for split, some in ROWS.items()}
    folder = fetched_from_hub(tmp_path, rows, "Tagging", **columns_of, **LEFT_OUT, rows=counts)
    ours, theirs = contents(folder), contents(processed(tmp_path / "by_hand")[0])
    assert ours.keys() == theirs.keys() and {name for name in ours if ours[name] != theirs[name]} <= {"card.json", "SHA256SUMS"}
