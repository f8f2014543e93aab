"""Classes through the stages: what a run leaves, in scope and out of it apart, and the model that is served."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpora import divided
from run_folders import run_on_tables
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from pipelines import tracking
from pipelines.evaluate import finite
from pipelines.kinds.base import class_table, scores_of
from pipelines.kinds.classification import apart, most_confused

SMALL = ["rnn=bilstm", "seed=1", "task.parameters=null", "+task.rnn.hidden_size=6", "task.training.epochs=3"]
SPLITS = ("train", "validation", "test")
ROWS = {"train": 80, "validation": 20, "test": 40}


def requests() -> dict[str, dict[str, list[Any]]]:
    draws = np.random.default_rng(0)
    names = {"time": ["what time is it", "the hour please"], "oos": ["why", "dogs"], "on": ["turn it on", "lights on"]}
    table: dict[str, dict[str, list[Any]]] = {}
    for split, rows in ROWS.items():
        intents = [list(names)[number] for number in draws.integers(3, size=rows)]
        table[split] = {"text": [names[intent][draws.integers(2)] for intent in intents], "intent": intents}
    return table


def voices() -> dict[str, dict[str, list[Any]]]:
    draws = np.random.default_rng(0)
    table: dict[str, dict[str, list[Any]]] = {}
    for split in ("train", "test"):
        labels = draws.integers(3, size=ROWS[split])
        steps = [draws.normal(100 + label, 0.5, (draws.integers(2, 6), 2)).tolist() for label in labels]
        table[split] = {"sequence": steps, "label": [f"man {label}" for label in labels]}
    return table


TASKS: dict[str, tuple[Any, list[str]]] = {
    "clinc": (requests, ["task.model.input_size=5"]),
    "japanese_vowels": (voices, ["task.corpus.rows=null"]),
}


@pytest.fixture(scope="module", params=TASKS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of a small task, in a place of its own."""
    columns, more = TASKS[request.param]
    words = [f"task={request.param}", *SMALL, *more]
    with run_on_tables(tmp_path_factory.mktemp("place"), words, lambda corpus: divided(corpus, columns())) as run:
        yield run


def told(run: Path) -> tuple[list[str], list[str], dict[str, Any], dict[str, float]]:
    """The right and the found classes of a run, the card of its data, and its metrics."""
    right, found = zip(*(line.split("\t") for line in (run / "classified.txt").read_text().splitlines()), strict=True)
    card = json.loads((run.parents[3] / "data/processed" / run.parents[1].name / "card.json").read_text())
    return list(right), list(found), card, json.loads((run / "metrics.json").read_text())


def test_a_run_leaves_its_classes_and_how_good_they_are(run: Path) -> None:
    right, found, card, metrics = told(run)
    targets = np.load(run.parents[3] / "data/processed" / run.parents[1].name / "test.npz")["targets"]
    assert right == [card["classes"][number] for number in targets]
    hits = np.array([one == other for one, other in zip(right, found, strict=True)])
    assert metrics["test/accuracy"] == pytest.approx(hits.mean(), abs=1e-6)
    groups = {"in_scope": np.array(right) != "oos", "out_of_scope": np.array(right) == "oos"}
    for name, some in groups.items():
        assert (f"test/accuracy_{name}" in metrics) == (card.get("out_of_scope") is not None)
        if f"test/accuracy_{name}" in metrics:
            assert metrics[f"test/accuracy_{name}"] == pytest.approx(hits[some].mean())
    assert (run / "confusion.png").stat().st_size > 1000
    lines = (run / "classes.md").read_text().splitlines()
    assert len(lines) == 2 + card["num_classes"] + 1
    assert float(lines[-1].split(" | ")[3]) == pytest.approx(metrics["test/macro_f1"], abs=1e-4)


def test_the_model_keeps_the_numbers_and_the_names_of_its_data(run: Path) -> None:
    _, _, card, _ = told(run)
    kept = torch.load(run / "model.ckpt", weights_only=True)["hyper_parameters"]
    assert kept["classes"] == card["classes"] and kept["standardize"] == card.get("standardize")


def test_the_served_model_answers_as_the_test_did(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.parents[3]}/mlflow.db")
    run_id = json.loads((run / "training.json").read_text())["mlflow_run_id"]
    home = tracking.store.client().get_run(run_id).info.experiment_id
    (stored,) = tracking.store.client().search_logged_models([home], f"source_run_id = '{run_id}'")
    served = pyfunc.load_model(stored.model_uri)
    _, found, _, _ = told(run)
    items = requests()["test"]["text"] if run.parents[1].name == "clinc" else map(json.dumps, voices()["test"]["sequence"])
    assert [answer["text"] for answer in served.predict(list(items))] == found


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_torchmetrics(seed: int) -> None:
    draws = np.random.default_rng(seed)
    right, found = (torch.from_numpy(draws.integers(classes, size=60)) for classes in (5, 4))  # one class is never found
    counts = multiclass_confusion_matrix(found, right, 6).numpy()  # and one is not there
    for at, measure in enumerate((multiclass_precision, multiclass_recall, multiclass_f1_score)):
        expected = measure(found, right, 6, average="none").numpy()
        np.testing.assert_allclose(scores_of(counts)[:, at], expected, atol=1e-6)
    table = class_table([f"class {number}" for number in range(6)], scores_of(counts), counts).splitlines()
    assert len(table) == 9 and table[-1].endswith("| 60 |")
    f1 = [float(line.split(" | ")[3]) for line in table[2:-1]]
    assert f1 == sorted(f1)
    for most in (1, 3, 6, 9):
        shown = most_confused(counts, most)
        errors = [counts[at].sum() + counts[:, at].sum() - 2 * counts[at, at] for at in range(6)]
        assert shown == sorted(shown) and len(shown) == min(most, 6)
        assert sorted(errors[at] for at in shown) == sorted(errors)[-len(shown) :]


def test_scope_is_told_apart_where_there_is_one() -> None:
    counts = np.array([[3, 1, 0], [1, 4, 1], [2, 0, 6]])
    assert apart(counts, ["a", "b", "oos"], "oos") == {
        "test/accuracy_in_scope": pytest.approx(7 / 10),
        "test/accuracy_out_of_scope": pytest.approx(6 / 8),
    }
    assert apart(counts, ["a", "b", "c"], None) == {}


def test_a_group_without_test_rows_has_no_accuracy() -> None:
    scores = apart(np.array([[3, 1], [0, 0]]), ["a", "out"], "out")
    assert scores["test/accuracy_in_scope"] == 0.75
    assert finite(scores["test/accuracy_out_of_scope"]) is None
