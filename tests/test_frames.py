"""Framewise classes through the stages: what a run leaves, groups of rows apart, and the model that is served."""

import base64
import io
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import soundfile
import torch
from corpora import cut_rows
from run_folders import run_on_tables

from pipelines import tracking
from pipelines.kinds.frames import by_group, classify_frames
from rnn_lightning import FrameClassifier, PairModule

SMALL = ["rnn=bilstm", "seed=1", "task.parameters=null", "+task.rnn.hidden_size=6", "task.training.epochs=3"]
TONES = {"low": 300, "middle": 1200, "high": 3500}
ROWS = {"train": 24, "validation": 4, "test": 9}
RATE = 16000


def spoken() -> dict[str, dict[str, Any]]:
    """Rows of three tones each, of any length, half of the test's rows of another group."""
    draws = np.random.default_rng(0)
    table: dict[str, dict[str, Any]] = {}
    for split, rows in ROWS.items():
        said = []
        for number in range(rows):
            ends = np.cumsum(draws.uniform(0.06, 0.15, 3)).tolist()
            names = draws.permutation(list(TONES)).tolist()
            times = np.arange(round(ends[-1] * RATE)) / RATE
            pitch = np.array([TONES[name] for name in names])[np.searchsorted(ends[:-1], times, side="right")]
            samples = 0.3 * np.sin(2 * np.pi * pitch * times) + draws.normal(0, 0.01, len(times))
            buffer = io.BytesIO()
            soundfile.write(buffer, samples, RATE, format="FLAC")
            segments = [{"phoneme": n, "start": s, "end": e} for n, s, e in zip(names, [0.0, *ends[:-1]], ends, strict=True)]
            group = split if split != "test" else ("test_seen", "test_unseen")[number % 2]
            sound = {"bytes": buffer.getvalue(), "path": None}
            said.append({"id": f"{split} {number}", "audio": sound, "phonemes": segments, "subset": group})
        table[split] = {name: pyarrow.array([each[name] for each in said]) for name in said[0]}
    return table


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of a small task, in a place of its own."""
    with run_on_tables(tmp_path_factory.mktemp("place"), ["task=phonemes", *SMALL], lambda _: spoken()) as run:
        yield run


def processed_of(run: Path) -> Path:
    return run.parents[3] / "data/processed/phonemes"


def found_and_right(run: Path) -> tuple[list[list[int]], list[list[int]]]:
    """The classes that the run's model finds in the test's rows one by one, and the right ones."""
    system = FrameClassifier.load_from_checkpoint(run / "model.ckpt", map_location="cpu", weights_only=True).eval()
    arrays = dict(np.load(processed_of(run) / "test.npz"))
    alone = [system.classify(torch.from_numpy(inputs)[None])[0].tolist() for inputs in cut_rows(arrays)]
    data = PairModule(processed_of(run), batch_size=4)
    assert classify_frames(system, data, "test") == alone
    return alone, [row.tolist() for row in cut_rows(arrays, "target")]


def test_a_run_leaves_how_good_its_classes_are_group_by_group(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    found, right = found_and_right(run)
    hits = [np.array(one) == np.array(other) for one, other in zip(found, right, strict=True)]
    assert metrics["test/accuracy"] == pytest.approx(np.concatenate(hits).mean(), abs=1e-6)
    assert metrics["test/accuracy_seen"] == pytest.approx(np.concatenate(hits[::2]).mean())
    assert metrics["test/accuracy_unseen"] == pytest.approx(np.concatenate(hits[1::2]).mean())
    table = [line.strip("| ").split(" | ") for line in (run / "classes.md").read_text().splitlines()[2:]]
    assert sorted(line[0] for line in table) == sorted([*TONES, "mean"])
    for name, precision, recall, _, count in table[:-1]:
        at = json.loads((processed_of(run) / "card.json").read_text())["classes"].index(name)
        pairs = [(a, b) for one, other in zip(found, right, strict=True) for a, b in zip(one, other, strict=True)]
        both = sum(a == b == at for a, b in pairs)
        said, is_it = sum(a == at for a, _ in pairs), sum(b == at for _, b in pairs)
        assert int(count) == is_it
        assert float(recall) == pytest.approx(both / is_it, abs=1e-4)
        assert float(precision) == pytest.approx(both / said if said else 0, abs=1e-4)
    assert all((run / name).stat().st_size > 1000 for name in ("confusion.png", "utterance.png"))


def test_the_model_keeps_the_numbers_and_the_names_of_its_data(run: Path) -> None:
    card = json.loads((processed_of(run) / "card.json").read_text())
    kept = torch.load(run / "model.ckpt", weights_only=True)["hyper_parameters"]
    assert kept["classes"] == card["classes"] and kept["standardize"] == card["standardize"]


def test_the_served_model_answers_as_the_test_did(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.parents[3]}/mlflow.db")
    run_id = json.loads((run / "training.json").read_text())["mlflow_run_id"]
    home = tracking.store.client().get_run(run_id).info.experiment_id
    (stored,) = tracking.store.client().search_logged_models([home], f"source_run_id = '{run_id}'")
    served = pyfunc.load_model(stored.model_uri)
    found, _ = found_and_right(run)
    names = json.loads((processed_of(run) / "card.json").read_text())["classes"]
    sounds = [each["bytes"] for each in spoken()["test"]["audio"].to_pylist()]
    answers = served.predict([base64.b64encode(sound).decode() for sound in sounds])
    for answer, row in zip(answers, found, strict=True):
        assert answer["text"] == " ".join(names[number] for number, _ in groupby(row))


def test_groups_are_told_apart_by_frames_not_by_rows(tmp_path: Path) -> None:
    (tmp_path / "groups").write_text("test_seen\nother\ntest_seen\n")
    right, found = [[1, 2, 3], [1], [4]], [[1, 2, 0], [0], [0]]
    assert by_group(tmp_path / "groups", right, found) == {"test/accuracy_seen": 0.5, "test/accuracy_other": 0.0}
    assert by_group(tmp_path / "none", right, found) == {}
    with pytest.raises(ValueError, match="shorter"):
        by_group(tmp_path / "groups", right[:2], found[:2])
