"""Tagging through the stages: what a run leaves, vectors on the way, and lines of standard input tagged one by one."""

import io
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from often import some
from run_folders import run_by_stages

from pipelines import tracking
from pipelines.evaluate import evaluate
from pipelines.fetch import fetch
from pipelines.kinds.base import count_confusion
from pipelines.kinds.tagging import span_table, start_from_vectors
from pipelines.predict import predict, reader
from pipelines.preprocess import preprocess
from pipelines.settings import compose as composing
from pipelines.settings.compose import compose
from pipelines.settings.schema import Experiment
from pipelines.train import train
from pipelines.training.building import build_system
from rnn_lightning import SpanF1, Tagger
from rnn_lightning.corpora import SPLITS
from rnn_lightning.items.lines import LineReader

FORESIGHT = [
    "task=foresight",
    "rnn=bigru",
    "task.corpus.rows={train:200,validation:30,test:40}",
    "task.training.epochs=1",
    "task.training.validate_every=null",
    "+task.model.characters={name:cnn,filters:8,embedding_size:8}",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of a small tagging task, in a place of its own."""
    with run_by_stages(tmp_path_factory.mktemp("place"), FORESIGHT) as folder:
        yield folder


def blocks(text: str) -> list[list[list[str]]]:
    """The cells of each line of each sentence."""
    return [[line.split("\t") for line in block.splitlines()] for block in text.split("\n\n")[:-1]]


def answers(lines: LineReader, text: str | bytes) -> str:
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return "".join(f"{answer}\n" for answer in lines.answer(stream))


def test_a_run_leaves_its_tags_and_how_good_they_are(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    found = blocks((run / "tagged.txt").read_text())
    right = blocks((run.parents[3] / "data/processed/foresight/test.txt").read_text())
    assert [[cells[:2] for cells in sentence] for sentence in found] == right and len(right) == 40
    hits = [cells[1] == cells[2] for sentence in found for cells in sentence]
    assert metrics["test/accuracy"] == pytest.approx(np.mean(hits), abs=1e-6)
    assert json.loads((run / "training.json").read_text())["label"] == "BiGRU"
    names = {file.name for file in run.iterdir()}
    assert {"model.ckpt", "lexicon.json", "tagged.txt", "confusion.png", "metrics.json"} <= names


def test_the_dashboard_shows_the_confusion_and_serves_the_model(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.parents[3]}/mlflow.db")
    run_id = json.loads((run / "training.json").read_text())["mlflow_run_id"]
    shown = [Path(file.path).name for file in tracking.store.client().list_artifacts(run_id, "figures")]
    assert shown == ["confusion.png"]
    (stored,) = tracking.store.client().search_logged_models(
        [tracking.store.client().get_run(run_id).info.experiment_id], f"source_run_id = '{run_id}'"
    )
    sentence, *_ = blocks((run / "tagged.txt").read_text())
    served = pyfunc.load_model(stored.model_uri).predict([" ".join(cells[0] for cells in sentence), ""])
    assert served == [{"words": [w for w, _, _ in sentence], "tags": [t for _, _, t in sentence]}, {"words": [], "tags": []}]


def test_confusion_counts_what_was_taken_for_what() -> None:
    counts = count_confusion(["A", "A", "B", "C", "A"], ["A", "B", "B", "A", "B"], ["A", "B", "C"])
    assert counts.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_scores_of_spans_are_a_row_a_type() -> None:
    counted = SpanF1(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], "BIO")
    counted.update(torch.tensor([[1, 2, 0, 3], [1, 0, 0, 0]]), torch.tensor([[1, 2, 0, 3], [0, 0, 1, 0]]))
    assert span_table(counted.compute()).splitlines()[2:] == [
        "| LOC | 1.0000 | 1.0000 | 1.0000 | 1 |",
        "| PER | 0.5000 | 0.5000 | 0.5000 | 2 |",
        "| all | 0.6667 | 0.6667 | 0.6667 | 3 |",
    ]


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_predict_tags_each_line_as_the_test_was_tagged(run: Path, batch_size: int) -> None:
    found = blocks((run / "tagged.txt").read_text())
    text = "".join(" ".join(cells[0] for cells in sentence) + "\n" for sentence in found)
    told = blocks(answers(reader({"run": str(run), "batch_size": batch_size}), text))
    assert told == [[[word, tag] for word, _, tag in sentence] for sentence in found]
    lines = answers(reader({"run": str(run), "batch_size": batch_size, "format": "json"}), text).splitlines()
    for number, (line, sentence) in enumerate(zip(lines, found, strict=True), start=1):
        assert json.loads(line) == {"line": number, "words": [w for w, _, _ in sentence], "tags": [t for _, _, t in sentence]}


def test_words_are_split_as_told(run: Path) -> None:
    text = "The dog's 3.5 km, naïve_x…\n"
    simple = json.loads(answers(reader({"run": str(run), "format": "json"}), text))["words"]
    assert simple == ["The", "dog", "'", "s", "3", ".", "5", "km", ",", "naïve_x", "…"]
    blanks = json.loads(answers(reader({"run": str(run), "format": "json", "tokens": "blanks"}), text))["words"]
    assert blanks == ["The", "dog's", "3.5", "km,", "naïve_x…"]


def test_bad_lines_harm_no_others(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = [b"the dog", b"", b"  \t ", b"the \xff dog", "\u65e5\u672c \N{GRINNING FACE}".encode(), b"the " * 5000, b"the dog"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(text))))
    with pytest.raises(SystemExit, match="1"):
        predict([f"run={run}", "format=json"])
    printed = capsys.readouterr()
    told = [json.loads(line) for line in printed.out.splitlines()]
    assert [each["line"] for each in told] == list(range(1, 8))
    assert [len(each["words"]) for each in told] == [len(each["tags"]) for each in told] == [2, 0, 0, 0, 2, 5000, 2]
    assert told[0]["tags"] == told[6]["tags"]
    assert printed.err == "error: line 4 is not UTF-8 at byte 5\n"
    assert answers(reader({"run": str(run)}), b"\n \nthe\n").startswith("\n\nthe\t")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"format": "xml"}, r"format must be 'conll', 'text' or 'json', not 'xml'"),
        ({"beam_size": 4}, r"beam_size: there is no such setting"),
    ],
)
def test_a_bad_option_is_one_line_of_error(run: Path, more: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        reader({"run": str(run), **more})
    assert "\n" not in str(caught.value)


def with_vectors(place: Path, *more: str) -> Experiment:
    (place / "vectors.txt").write_text("".join(f"{word} {at} 2 3 4\n" for at, word in enumerate(["the", "dog", "zebra"])))
    return compose([*FORESIGHT, "task.model.embedding_size=4", *more])


def test_vectors_go_from_a_file_to_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = with_vectors(tmp_path, "+task.corpus.vectors=vectors.txt", "+task.model.vectors=frozen")
    fetch(experiment)
    preprocess(experiment)
    card = json.loads((experiment.processed() / "card.json").read_text())
    known = json.loads((experiment.processed() / "lexicon.json").read_text())["words"]
    assert card["vectors"] == {"file": "vectors.txt", "size": 4, "coverage": pytest.approx(2 / len(known))}
    system = build_system(experiment, card, planned=10)
    assert isinstance(system, Tagger)
    start_from_vectors(system, experiment.processed())
    for at, word in enumerate(["the", "dog"]):
        assert system.embedding.weight[known.index(word) + 1].tolist() == [at, 2, 3, 4]
    plain = build_system(with_vectors(tmp_path), card, planned=10)
    assert isinstance(plain, Tagger)
    with pytest.raises(ValueError, match=r"^the corpus has pretrained vectors: set both task.corpus.vectors, a file, and"):
        start_from_vectors(plain, experiment.processed())
    (experiment.processed() / "vectors.npz").unlink()
    start_from_vectors(plain, experiment.processed())
    with pytest.raises(ValueError, match=r"task.model.vectors is 'frozen', but the corpus has no pretrained vectors: set both"):
        start_from_vectors(system, experiment.processed())


NAMES = """title: Names
description: Names in a file.
metric: {name: test/f1, mode: max}
unit: tokens
corpus: {_target_: rnn_lightning.corpora.TaggedFiles, word: 1, tag: 2, files: FILES}
data: {_target_: rnn_lightning.PairModule, batch_size: 2}
model: {_target_: rnn_lightning.Tagger, output: crf, scheme: BIO, embedding_size: 3, optimizer: {name: adam, lr: 0.01}}
parameters: 900
training: {epochs: 2, clip: 1.0, validate_every: null}
"""


@pytest.mark.parametrize("split", some(SPLITS, 1))
def test_an_irregular_tag_ends_no_stage_and_is_named_at_preprocessing(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    shutil.copytree(composing.CONF, tmp_path / "conf")
    (tmp_path / "conf/task/names.yaml").write_text(NAMES.replace("FILES", json.dumps({each: each for each in SPLITS})))
    monkeypatch.setattr(composing, "CONF", tmp_path / "conf")
    for each in SPLITS:
        text = "Ada B-PER\nsat O\n\nFord B-ORG\nMotor I-ORG\n\nin O\nRome B-LOC\n\n"
        Path(each).write_text(text + "Ford I-ORG\nsat O\n" * (each == split))
    for stage in (fetch, preprocess, train, evaluate):
        monkeypatch.setattr("sys.argv", [stage.__name__, "task=names", "rnn=lstm", "seed=1"])
        composing.run_stage(stage)
    said = capsys.readouterr().err
    assert f"{split}:10 (copied to " in said and "'Ford' has the tag 'I-ORG', which BIO forbids there" in said
    metrics = json.loads(Path("runs/names/lstm/1/metrics.json").read_text())
    assert math.isfinite(metrics["test/loss"]) and 0 <= metrics["test/f1"] <= 1
    assert blocks(Path("runs/names/lstm/1/tagged.txt").read_text())[-1][0][1] == ("I-ORG" if split == "test" else "O")
