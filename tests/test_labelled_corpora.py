"""Series and texts with a class each: rows against plain loops, what is held out, and what is left out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpora import TINY, contents, cut_rows, fetched_from_hub, processed

from rnn_lightning.corpora import SPLITS, CorpusError, LabelledText, Series
from rnn_lightning.corpora.dividing import HeldOut
from rnn_lightning.files import sha256, write_json

Columns = dict[str, dict[str, Any]]


def series(counts: dict[str, int], width: int = 3) -> Columns:
    draws = np.random.default_rng(0)
    return {
        split: {
            "sequence": [draws.normal(3, 2, (draws.integers(1, 8), width)).tolist() for _ in range(count)],
            "label": [f"speaker {row % 4}" for row in range(count)],
        }
        for split, count in counts.items()
    }


def test_a_series_is_its_numbers_and_its_class_by_name(tmp_path: Path) -> None:
    columns = series({"train": 40, "test": 9})
    corpus = Series(**TINY, sequence="sequence", label="label", held_out={"share": 0.3, "seed": 5})
    card, arrays = processed(corpus, tmp_path, columns)
    assert card["classes"] == [f"speaker {number}" for number in range(4)]
    for row, inputs in enumerate(cut_rows(arrays["test"])):
        np.testing.assert_allclose(inputs, columns["test"]["sequence"][row], rtol=1e-6)
        assert arrays["test"]["targets"][row] == row % 4
    assert Counter(arrays["validation"]["targets"].tolist()) == dict.fromkeys(range(4), 3)
    first = contents(tmp_path / "processed")
    processed(corpus, tmp_path, columns)
    assert contents(tmp_path / "processed") == first
    processed(Series(**TINY, sequence="sequence", label="label", held_out={"share": 0.3, "seed": 6}), tmp_path, columns)
    assert contents(tmp_path / "processed")["validation.npz"] != first["validation.npz"]
    assert contents(tmp_path / "processed")["test.npz"] == first["test.npz"]


@pytest.mark.parametrize("bad", [[], [[1.0, float("nan"), 2.0]], [[1.0, 2.0, 3.0], [1.0]], None])
def test_a_bad_series_is_named_and_left_out(tmp_path: Path, bad: Any, capsys: pytest.CaptureFixture[str]) -> None:
    columns = series(dict.fromkeys(SPLITS, 8))
    columns["train"]["sequence"][2] = bad
    card, arrays = processed(Series(**TINY, sequence="sequence", label="label", most_left_out=0.2), tmp_path, columns)
    assert card["left_out"]["train"] == 1 and arrays["train"]["targets"].tolist() == [0, 1, 3, 0, 1, 2, 3]
    assert "left out row 2 of" in capsys.readouterr().err


def test_series_of_different_widths_and_classes_of_one_split_are_refused(tmp_path: Path) -> None:
    columns = series(dict.fromkeys(SPLITS, 8))
    columns["test"]["label"][3] = "a stranger"
    corpus = Series(**TINY, sequence="sequence", label="label")
    with pytest.raises(CorpusError, match=r"the test split has \['a stranger'\]; the classes are \['speaker 0', "):
        processed(corpus, tmp_path / "class", columns)
    wider = {**series(dict.fromkeys(SPLITS, 8)), "test": series({"test": 8}, width=5)["test"]}
    with pytest.raises(CorpusError, match=r"the steps have \[3, 5\] numbers, which must be one for all; a row of 'sequence'"):
        processed(corpus, tmp_path / "width", wider)


TEXTS = {
    "train": [("Turn it on", "on"), ("turn it off", "off"), ("turn it on", "on"), ("who, me", "oos")],
    "validation": [("turn it", "on"), ("off", "off")],
    "test": [("turn her on", "on"), ("hello", "oos")],
}


def labelled(names: list[str] | None) -> Columns:
    """The texts; their classes by name, or as numbers with names."""
    if names is None:
        return {
            split: dict(zip(("text", "intent"), map(list, zip(*rows, strict=True)), strict=True))
            for split, rows in TEXTS.items()
        }
    return {
        split: {"text": [text for text, _ in rows], "intent": [names.index(name) for _, name in rows]}
        for split, rows in TEXTS.items()
    }


def texts(**changes: Any) -> LabelledText:
    return LabelledText(**{**TINY, "text": "text", "label": "intent", "out_of_scope": "oos", **changes})


def test_a_labelled_text_is_its_tokens_and_its_class(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    card, arrays = processed(texts(), tmp_path, labelled(None))
    tokenizer = Tokenizer.from_file(str(tmp_path / "processed/tokenizer.json"))
    assert card["classes"] == ["off", "on", "oos"] and card["out_of_scope"] == "oos" and card["num_classes"] == 3
    assert card["vocabulary_size"] == tokenizer.get_vocab_size() == 2 + len({"turn", "it", "on", "off", "who", ",", "me"})
    for split, rows in TEXTS.items():
        for (text, name), tokens, target in zip(rows, cut_rows(arrays[split]), arrays[split]["targets"], strict=True):
            read = " ".join(tokenizer.id_to_token(int(token)) for token in tokens)
            unknown = {"her": "<unk>", "hello": "<unk>"}
            assert read == " ".join(unknown.get(w, w) for w in text.lower().replace(",", " ,").split()) + " <eos>"
            assert card["classes"][target] == name


def test_numbers_of_classes_have_the_names_that_the_data_set_gives(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    names, raw = ["oos", "on", "off", "never"], tmp_path / "raw"
    raw.mkdir()
    features = Features({"text": Value("string"), "intent": ClassLabel(names=names)})
    for split, columns in labelled(names).items():
        Dataset.from_dict(columns, features=features).to_parquet(raw / f"{split}.parquet")
    write_json(raw / "source.json", {**TINY, "licence": "cc0-1.0", "files": {p.name: sha256(p) for p in raw.iterdir()}})
    card, arrays = processed(texts(), tmp_path, {})
    assert card["classes"] == names
    assert [names[target] for target in arrays["train"]["targets"]] == [name for _, name in TEXTS["train"]]
    card, plain = processed(texts(out_of_scope=None), tmp_path / "plain", labelled(names))
    assert card["classes"] == ["0", "1", "2"], "integers without names are their own"
    assert plain["train"]["targets"].tolist() == arrays["train"]["targets"].tolist()
    card, _ = processed(texts(classes=names), tmp_path / "plain", {})
    assert card["classes"] == names


@pytest.mark.parametrize("row", [("  ", "on"), ("turn it", None)])
def test_a_text_that_is_blank_or_has_no_class_is_left_out(tmp_path: Path, row: tuple[str, str | None]) -> None:
    columns = labelled(None)
    for name, value in zip(("text", "intent"), row, strict=True):
        columns["validation"][name].append(value)
    card, arrays = processed(texts(most_left_out=0.4), tmp_path, columns)
    assert card["left_out"] == {"train": 0, "validation": 1, "test": 0} and len(arrays["validation"]["targets"]) == 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_is_held_out_is_drawn_class_by_class_and_leaves_the_rest_in_order(share: float) -> None:
    answers = [name for name, count in {"a": 40, "b": 10, "c": 1}.items() for _ in range(count)]
    for classes in (answers, None):
        drawn = HeldOut(share, 3).draw(51, classes)
        rows = [drawn["train"].tolist(), drawn["validation"].tolist()]
        assert sorted(rows[0] + rows[1]) == list(range(51)) and all(each == sorted(each) for each in rows)
        held = [answers[row] for row in rows[1]]
        if classes:
            assert Counter(held) == Counter({n: round(share * k) for n, k in Counter(answers).items() if round(share * k)})
        else:
            assert len(held) == round(share * 51)


def test_what_a_seed_holds_out_is_what_earlier_versions_held_out() -> None:
    classes = [name for name, count in {"b": 7, "a": 9, "c": 4}.items() for _ in range(count)]
    assert HeldOut(0.3, 5).draw(20, classes)["validation"].tolist() == [0, 1, 8, 9, 11, 18]
    assert HeldOut(0.3, 5).draw(20)["validation"].tolist() == [1, 3, 7, 9, 16, 18]


def test_an_out_of_scope_class_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"out_of_scope must be one of its classes .* not 'none'"):
        processed(texts(out_of_scope="none"), tmp_path, labelled(None))


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="level must be one of"):
        texts(level="sound")


def test_splits_of_other_names_are_the_only_ones_that_are_fetched(tmp_path: Path) -> None:
    """As those of gilkeyio/librispeech-alignments, of whose sixty gigabytes a small part may be wanted."""
    sizes = {"train_clean_100": 4, "dev_clean": 3, "test_clean": 2, "train_other_500": 5}
    words = {name: "left there" if name == "train_other_500" else "wanted" for name in sizes}
    rows = {name: [{"steps": [[float(row), 1.0]], "label": words[name]} for row in range(n)] for name, n in sizes.items()}
    files = {f"data/{name}-00000-of-00001": some for name, some in rows.items()}
    names = {"train": "train_clean_100", "validation": "dev_clean", "test": "test_clean"}
    counts = {split: sizes[name] for split, name in names.items()}
    told = {"sequence": "steps", "label": "label", "splits": names, "rows": counts}
    folder = fetched_from_hub(tmp_path, files, "Series", **told)
    card = json.loads((folder / "card.json").read_text())
    assert {split: each["rows"] for split, each in card["splits"].items()} == counts
    assert card["source"]["splits"] == names
    assert {path.stem for path in (tmp_path / "raw").glob("*.parquet")} == set(names)
    cached = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert b"wanted" in cached and b"left there" not in cached


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"held_out": {"share": 0.2, "seed": 1}}, id="held out"),
        pytest.param(
            {"splits": {"train": "train[:80%]", "validation": "train[80%:]", "test": "test"}},
            id="slices",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_hub_set_without_a_validation_split_is_divided(tmp_path: Path, more: dict[str, Any]) -> None:
    """As TREC and IMDB are: train and test alone, a text column of another name, and numbers as classes."""
    rows = {
        name: [{"content": f"{name} text {row}", "coarse": row % 2} for row in range(count)]
        for name, count in {"train": 20, "test": 6, "unsupervised": 3}.items()
    }
    if "held_out" in more:
        del rows["unsupervised"]
    settings: dict[str, Any] = {"text": "content", "label": "coarse", "classes": ["DESC", "ENTY"], **more}
    folder = fetched_from_hub(tmp_path, rows, "LabelledText", **settings)
    card = json.loads((folder / "card.json").read_text())
    assert {split: each["rows"] for split, each in card["splits"].items()} == {"train": 16, "validation": 4, "test": 6}
    assert card["classes"] == ["DESC", "ENTY"] and {path.stem for path in (tmp_path / "raw").glob("*.parquet")} == set(SPLITS)
