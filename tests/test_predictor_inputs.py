"""Items as predictors take them: arrays, words, spans of tags; what is refused, and how a folder says what predicts from it."""

import io
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from run_folders import store_values

from pipelines.predict import reader
from rnn_lightning import SequenceClassifier, Tagger, load_predictor
from rnn_lightning.corpora.lexicon import Lexicon
from rnn_lightning.files import read_json, write_json, write_sums
from rnn_lightning.items.words import simple_words
from rnn_lightning.predictors import TaggingPredictor

DRAWS = np.random.default_rng(0)
JOINERS = (0x200C, 0x200D)


@pytest.fixture
def values(tmp_path: Path) -> Path:
    return store_values(tmp_path / "run")


def test_tags_that_mark_spans_are_answered_with_these() -> None:
    tags = ["O", "B-PER", "I-PER"]
    lexicon = Lexicon(["ada", "sat"], ["a", "d", "s", "t"], tags, lowercase=True)
    system = Tagger(3, 3, {"cell": "lstm", "hidden_size": 4}, tags=tags, scheme="BIO")
    predictor = TaggingPredictor(system, lexicon)
    assert predictor.of_words(["Ada", "L", "sat"], [1, 2, 0, -100]) == {
        "words": ["Ada", "L", "sat"],
        "tags": ["B-PER", "I-PER", "O"],
        "spans": [{"label": "PER", "first_word": 0, "words": 2}],
    }
    with pytest.raises(ValueError, match=r"^tokens must be one of .*simple.*blanks.*, not 'blanc'"):
        TaggingPredictor(system, lexicon, tokens="blanc")
    (of_line,), (of_list,) = predictor(["Ada sat."]), predictor([["Ada", "sat."]])
    assert of_line["words"] == ["Ada", "sat", "."] and of_list["words"] == ["Ada", "sat."]
    assert predictor(["", "  "]) == [{"words": [], "tags": [], "spans": []}] * 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("हिन्दी भाषा।", ["हिन्दी", "भाषा", "।"]),
        ("cafe\u0301s e\u0301te\u0301!", ["cafe\u0301s", "e\u0301te\u0301", "!"]),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"]),
        ("x\u0301\u0302y", ["x\u0301\u0302y"]),
        ("\u2764\ufe0f\u2764", ["\u2764\ufe0f", "\u2764"]),
        ("\u0301a", ["\u0301", "a"]),
        ("Ada_1 sat.It's (20%)", ["Ada_1", "sat", ".", "It", "'", "s", "(", "20", "%", ")"]),
        ("naïve 猫がいる 1²", ["naïve", "猫がいる", "1²"]),
        ("a-b  c\u200b", ["a", "-", "b", "c", "\u200b"]),
    ],
)
def test_marks_stay_with_their_letters(line: str, words: list[str]) -> None:
    assert simple_words(line) == words


def test_text_without_marks_is_split_as_ever() -> None:
    letters = [chr(code) for code in range(32, 0x3000) if unicodedata.category(chr(code))[0] != "M" and code not in JOINERS]
    line = "".join(DRAWS.permutation(letters).tolist())
    assert simple_words(line) == re.findall(r"\w+|[^\w\s]", line)


def test_values_and_arrays_are_those_of_the_network(values: Path) -> None:
    rows = [DRAWS.random((steps, 2)).astype(np.float32) for steps in (4, 1, 7)]
    system = SequenceClassifier.load_from_checkpoint(values / "model.ckpt", weights_only=True).eval()
    with torch.no_grad():
        expected = [system(torch.from_numpy(row)[None])[0].item() for row in rows]
    predictor = load_predictor(values)
    for items in (rows, [row.tolist() for row in rows], [json.dumps(row.tolist()) for row in rows]):
        answers = predictor(items)
        assert [answer["value"] for answer in answers] == pytest.approx(expected, abs=1e-6)
        assert [float(answer["text"]) for answer in answers] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("[[1, 2, 3]]", r"features must have shape \(T, 2\), not \(1, 3\)"),
        ("[1, 2]", r"features must have shape \(T, 2\), not \(2,\)"),
        ("[[1, null]]", "features must be an array"),
        ('[["1", "2"]]', "it must have numbers alone, and '1' is among them"),
        ("[[true, false]]", "it must have numbers alone, and True is among them"),
        (f"[[1{'0' * 400}, 1]]", "features must be an array"),
        ("[[1, Infinity]]", "step 0 is .* features must be finite"),
        ("one", r"it is no JSON of an array of 2 features a step, \[\[...\], ...\]"),
        ("[[1, 2], [3]]", "the rows given have different lengths"),
        ('{"a": 1}', "features must be an array"),
    ],
)
def test_what_is_no_array_is_named(values: Path, item: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    predictor = load_predictor(values)
    with pytest.raises(ValueError, match=rf"^item 1: .*({said})"):
        predictor(["[[1, 2]]", item])
    lines = reader({"run": values, "format": "json"}).answer(io.BytesIO(f"[[1, 2]]\n{item}\n[[1, 2]]\n".encode()))
    first, second, third = map(json.loads, lines)
    assert first["value"] == third["value"] and second == {"line": 2, "text": ""}
    assert capsys.readouterr().err.startswith("error: line 2, ")


def test_a_folder_says_which_predictor_it_is_for(values: Path) -> None:
    with pytest.raises(ValueError, match="beam_size: there is no such setting"):
        reader({"run": values, "beam_size": 3})
    with pytest.raises(TypeError, match="beam_size"):
        load_predictor(values, beam_size=3)
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, not 0"):
        load_predictor(values, batch_size=0)
    write_json(values / "predictor.json", {**read_json(values / "predictor.json"), "predictor": "os.system"})
    write_sums(values)
    with pytest.raises(ValueError, match=r"must be one of \['classification', .*\], not 'os.system'"):
        load_predictor(values)
    (values / "predictor.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no predictor\.json, and so no evaluated run"):
        load_predictor(values)


def test_a_network_of_classes_gives_no_values_nor_the_other_way_round(values: Path) -> None:
    write_json(values / "predictor.json", {**read_json(values / "predictor.json"), "predictor": "classification"})
    write_sums(values)
    with pytest.raises(ValueError, match="take RegressionPredictor"):
        load_predictor(values)
