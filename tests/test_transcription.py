"""A run of an encoder-decoder of signals, by all stages: what it leaves agrees with the model, and it predicts as it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from run_folders import run_by_stages
from test_recognition import edits

from pipelines.kinds.base import answer_split, target_rows
from pipelines.measuring.elsewhere import measure_elsewhere
from pipelines.settings.compose import compose
from pipelines.training.building import build_system
from rnn_lightning import PairModule, Seq2Seq
from rnn_lightning.files import read_json
from rnn_lightning.pen import pen_features
from rnn_lightning.predictors import load_predictor

TINY = ["task=strokes", "rnn=lstm", "task.model._target_=rnn_lightning.Seq2Seq", "+task.model.encoder={bidirectional: true}"]
TINY += ["task.corpus.rows={train: 60, validation: 20, test: 30}", "task.training.epochs=20", "task.training.validate_every=40"]
TINY += ["task.parameters=6000", "+task.model.subsampling={channels: 8, stride: 2, kernel: 4}"]
TINY += ["+task.metric.search={beam_size: 3, max_length: 8}", "+task.model.embedding_size=8"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Seq2Seq, PairModule]]:
    with run_by_stages(tmp_path_factory.mktemp("strokes"), TINY) as run:
        yield run, Seq2Seq.load_from_checkpoint(run / "model.ckpt").eval(), PairModule("data/processed/strokes", batch_size=8)


def search_split(model: Seq2Seq, data: PairModule, options: dict[str, Any]) -> list[str]:
    found = answer_split(model, data, "test", lambda b: model.best(model.translate(b.inputs, b.lengths, **options)))
    return [model.text(row) for row in found]


def test_what_was_found_stands_beside_what_is_right_and_gives_the_rates(made: tuple[Path, Seq2Seq, PairModule]) -> None:
    run, model, data = made
    right, scores = target_rows(data, "test"), read_json(run / "metrics.json")
    lines = [line.split("\t") for line in (run / "recognized.txt").read_text().split("\n")[:-1]]
    assert [line[1] for line in lines] == [model.text(row) for row in right] and len(lines) == 30
    for options, name in (({"beam_size": 3, "max_length": 8}, "test/cer_beam"), ({"beam_size": 1}, "test/cer")):
        found = search_split(model, data, options)
        assert name == "test/cer" or found == [line[0] for line in lines]
        wrong = sum(edits(said, model.text(row)) for said, row in zip(found, right, strict=True))
        assert scores[name] == pytest.approx(wrong / sum(map(len, right)))
    assert all((run / name).stat().st_size > 1000 for name in ("attention.png", "strokes.png"))


def test_it_predicts_what_it_was_tested_to_say(made: tuple[Path, Seq2Seq, PairModule]) -> None:
    run, model, _ = made
    strokes = [[[0, 0], [1, 5], [2, 0]], [[5, 5]]]
    features = pen_features(strokes, spacing=0.25)
    best = model.translate(torch.from_numpy(features).unsqueeze(0), beam_size=3, max_length=8)
    predictor = load_predictor(run, n_best=2)
    (answer, empty) = predictor([json.dumps(strokes), ""])
    assert answer["text"] == model.text(model.best(best)[0]) and len(answer["n_best"]) == 2
    assert answer["score"] == pytest.approx(float(best.scores[0, 0]), abs=1e-4) and empty["text"] == ""


def test_it_is_not_measured_on_what_a_recognizer_reads(made: tuple[Path, Seq2Seq, PairModule]) -> None:
    run, *_ = made
    with pytest.raises(ValueError, match="has a predictor of transcription, which on= does not measure"):
        measure_elsewhere([f"run={run}", "on=strokes", *TINY[4:5]])


def test_labels_without_a_unit_say_so(made: tuple[Path, Seq2Seq, PairModule]) -> None:
    card = read_json(Path("data/processed/strokes/card.json"))
    with pytest.raises(ValueError, match="unit must be one of"):
        build_system(compose([*TINY, "~task.model.unit"]), card, 1)
