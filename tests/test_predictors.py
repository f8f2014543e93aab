"""Predictors of every kind: the command, the served model and Python answer alike, however items are batched."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from often import some
from run_folders import own_place, store_values, stored_model
from stored_kinds import KINDS, Stored, store_kind

from pipelines.predict import reader
from rnn_lightning import load_predictor


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("place")
    with own_place(where):
        yield where


@pytest.fixture(scope="module", params=KINDS)
def stored(request: pytest.FixtureRequest, place: Path) -> Stored:
    return store_kind(place, request.param)


def by_command(folder: Path, items: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    stream = io.BytesIO("".join(f"{item}\n" for item in items).encode())
    told = [json.loads(line) for line in reader({"run": folder, "format": "json", **options}).answer(stream)]
    assert [each.pop("line") for each in told] == list(range(1, len(items) + 1))
    return told


def test_the_command_the_served_model_and_python_answer_alike(stored: Stored, place: Path) -> None:
    from mlflow import pyfunc

    served = pyfunc.load_model(stored_model(stored.folder))
    answers = load_predictor(stored.folder, batch_size=50)(stored.items)
    assert len(answers) == len(stored.items) == 50
    assert len({json.dumps(answer) for answer in answers}) > 3
    assert by_command(stored.folder, stored.items, batch_size=50) == answers
    assert served.predict(stored.requests) == load_predictor(stored.folder)(stored.items)


@pytest.mark.parametrize("stored", some([*KINDS], 1), indirect=True)
def test_the_first_answer_waits_for_no_import_but_those_that_it_needs(stored: Stored) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipelines.predict", f"run={stored.folder}"]
    root = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    done = subprocess.run(command, input=f"{stored.items[0]}\n", env=environment, capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {"torch", "rnn_lightning.predictors"} <= imported
    assert done.stdout
    needless = {"lightning", "torchmetrics", "torch._dynamo", "matplotlib", "mlflow", "hydra", "omegaconf", "pandas", "optuna"}
    assert not needless & imported


def nearly(answer: Any) -> Any:
    """The answer, with numbers that may be off by what rounding makes of them."""
    if isinstance(answer, dict):
        return {name: nearly(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [nearly(part) for part in answer]
    return pytest.approx(answer, rel=1e-3, abs=1e-3) if isinstance(answer, float) else answer


@pytest.mark.parametrize("batch_size", [1, 7])
def test_answers_do_not_depend_on_the_batch(stored: Stored, batch_size: int) -> None:
    expected = [nearly(without_digits(answer)) for answer in load_predictor(stored.folder, batch_size=50)(stored.items)]
    predictor = load_predictor(stored.folder, batch_size=batch_size)
    assert [without_digits(answer) for answer in predictor(stored.items[::-1])][::-1] == expected


def without_digits(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without a text that is nothing but its value in digits."""
    return {name: value for name, value in answer.items() if name != "text" or "value" not in answer}


def test_an_empty_item_has_an_empty_answer_and_the_text_of_each_is_one_line(stored: Stored) -> None:
    predictor = load_predictor(stored.folder)
    answers = predictor.answer([predictor.inputs.encode(item) for item in ["", *stored.items[:3], "  "]])
    if stored.folder.name != "language":  # after the end of a line there is always something to say
        assert answers[0] == answers[-1] == predictor.no_answer()
        assert predictor.text(answers[0]) == ""
    assert not any("\n" in predictor.text(answer) for answer in answers)
    json.dumps(answers, allow_nan=False)


@pytest.fixture
def values(tmp_path: Path) -> Path:
    return store_values(tmp_path / "run")


SERVED_ALONE = """
import json, sys
from mlflow import pyfunc
answers = pyfunc.load_model(sys.argv[1]).predict(json.loads(sys.argv[2]))
import rnn_lightning
assert not {"pipelines", "hydra", "omegaconf", "pydantic_settings"} & set(sys.modules)
print(json.dumps({"code": rnn_lightning.__file__, "answers": answers}))
"""


def test_a_server_says_what_is_wrong_with_a_request(values: Path, place: Path) -> None:
    from fastapi.testclient import TestClient
    from mlflow import pyfunc
    from mlflow.pyfunc.scoring_server import init

    uri = stored_model(values)
    client = TestClient(init(pyfunc.load_model(uri)))
    good = client.post("/invocations", json={"inputs": ["[[0.5, 1], [0.25, 1]]", ""]})
    assert good.status_code == 200
    assert good.json()["predictions"] == load_predictor(values)(["[[0.5, 1], [0.25, 1]]", ""])
    bad = client.post("/invocations", json={"inputs": ["[[0.5, 1]]", "half"]})
    assert bad.status_code == 400 and "item 1: it is no JSON of an array of 2 features" in bad.json()["message"]


def test_a_served_model_brings_its_code(values: Path, place: Path, tmp_path: Path) -> None:
    """It needs neither this project nor its pipelines where it is served."""
    uri = stored_model(values)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    items = ["[[0.5, 1], [0.25, 1]]", "[[0.5, 0]]"]
    paths = os.pathsep.join(path for path in sys.path if "site-packages" in path)
    done = subprocess.run(
        [sys.executable, "-c", SERVED_ALONE, uri, json.dumps(items)],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    served = json.loads(done.stdout.splitlines()[-1])
    assert Path(served["code"]).parts[-3:-1] == ("code", "rnn_lightning")
    assert served["answers"] == load_predictor(values)(items)
