"""Data of one's own, of every kind, from files to predictions by the command line alone."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_worker import Told, Worker, worker
from own_files import KINDS
from small_project import copy_project

SMALL = [
    "task.training.epochs=1",
    "task.training.validate_every=null",
    "task.parameters=null",
    "task.rnn.hidden_size=8",
    "seed=1",
]
STAGES = ("fetch", "preprocess", "train", "evaluate")
TYPED: dict[str, tuple[list[str], str]] = {
    "text": (["from=book.txt"], "the cat"),
    "parallel text": (["from={de: train.de, en: train.en}"], "the cat sat"),
    "tagged words": (["from=names.conll"], "the cat sat"),
    "CoNLL-U": (["from=bank.conllu"], "the cat sat"),
    "text with a class": (["--from", "reviews.csv", "--text", "body", "--label", "stars"], "the cat, they say"),
    "series with a class": (["from=series.csv", "sequence=[x,y]", "series=id", "label=kind"], "[[0.1, 0.2], [1, 2]]"),
    "series with a number": (["from=series.csv", "sequence=[x,y]", "series=id", "value=weight"], "[[0.1, 0.2], [1, 2]]"),
    "series with numbers": (
        ["from=bodies.csv", "sequence=[x,y]", "series=id", "value=[weight,height]"],
        "[[0.1, 0.2], [1, 2]]",
    ),
    "a series a row": (["from=wide.csv", "sequence=[t*]", "label=label"], "[[0.1], [0.2]]"),
    "sound with a transcript": (["from=spoken.csv", "audio=file"], "sounds/3.wav"),
    "sound with a class": (["from=words"], "sounds/3.wav"),
    "aligned sound": (["from=aligned.jsonl", "segments=phones"], "sounds/3.wav"),
    "lines in pictures": (["from=lines"], "lines/3.png"),
    "pen strokes": (["from=pen.jsonl", "text=word"], "[[[0, 0], [1, 2], [3, 3]], [[4, 0], [5, 5]]]"),
}
"""By kind, what is typed behind ``python -m pipelines.new NAME``, and a line to predict."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Path]]:
    folder = copy_project(tmp_path_factory.mktemp("project"))
    with worker(folder) as made:
        yield made, folder


def whole_way(made: Worker, kind: str, folder: Path) -> list[Told]:
    """What each command says, from the files of a kind to a prediction."""

    def run(command: str, words: list[str], lines: str = "") -> Told:
        told = made.run(command, words, folder, lines)
        assert told.code == 0, (command, told.err)
        return told

    KINDS[kind][0](folder)
    typed, line = TYPED[kind]
    told = [run("new", ["mine", *typed, "conf=conf"]), *(run(stage, ["task=mine", "conf=conf", *SMALL]) for stage in STAGES)]
    (trained,) = (folder / "runs" / "mine").glob("lstm*/1")
    return [*told, run("predict", [f"run={trained}", "format=json"], f"{line}\n")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPED)
def test_files_become_predictions(kind: str, project: tuple[Worker, Path], tmp_path: Path) -> None:
    began = time.monotonic()
    told = whole_way(project[0], kind, tmp_path)
    answer: dict[str, Any] = json.loads(told[-1].out)
    assert answer["line"] == 1 and len(answer) > 1
    card = json.loads((tmp_path / "data/processed/mine/card.json").read_text())
    assert all(card["splits"][split] for split in ("train", "validation", "test"))
    print(f"\n| {kind} | {len(told)} | {time.monotonic() - began:.1f} | {sum(each.seconds for each in told):.1f} |")


@pytest.mark.slow
def test_preprocess_notices_that_a_file_has_changed(project: tuple[Worker, Path], tmp_path: Path) -> None:
    made, _ = project
    KINDS["text with a class"][0](tmp_path)
    words = ["task=mine", "conf=conf"]
    made.run("new", ["mine", *TYPED["text with a class"][0], "conf=conf"], tmp_path, "")
    for stage in ("fetch", "preprocess"):
        assert made.run(stage, words, tmp_path, "").code == 0
    assert "is up to date" in made.run("preprocess", words, tmp_path, "").out
    file = tmp_path / "reviews.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    told = made.run("preprocess", words, tmp_path, "")
    assert told.code == 2 and "reviews.csv is not the file that was fetched" in told.err
