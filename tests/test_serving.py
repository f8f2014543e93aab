"""``rnn serve``: what is wrong with a request is said in a line, parameters are the predictor's, and curl is answered."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import run_folders
from bad_requests import BODIES, PARAMETERS, of
from documents import ROOT, blocks
from fastapi.testclient import TestClient
from run_folders import store_task, store_values

from pipelines.tracking.finished import parameters_of
from pipelines.tracking.serving import application, listening, model_of_run, stored_model
from pipelines.tracking.store import client
from rnn_lightning import load_predictor
from rnn_lightning.predictors import PREDICTORS

LIMITS = {"max_items": 200, "max_steps": 500, "max_beam": 20}
JSON = {"Content-Type": "application/json"}
TASKS = {"dates": "gru", "foresight": "bigru", "nested": "lstm"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each task of ``TASKS``, and one that reads arrays."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for task, rnn in TASKS.items():
            store_task(place / "runs" / task, f"task={task}", f"rnn={rnn}")
        store_values(place / "runs" / "values")
    return place / "runs"


@pytest.fixture(scope="module")
def clients(runs: Path) -> Iterator[dict[str, TestClient]]:
    """A client of a server of each run."""
    with ExitStack() as stack:
        models = {name: stack.enter_context(model_of_run(runs / name, LIMITS)) for name in (*TASKS, "values")}
        yield {name: TestClient(application(model, max_bytes=1_000_000)) for name, model in models.items()}


def ask(client: TestClient, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    answer = client.post("/invocations", content=body, headers=JSON if headers is None else headers)
    return answer.status_code, json.loads(answer.text)


def check_refused(client: TestClient, body: bytes, said: str, status: int = 400) -> None:
    code, answer = ask(client, body)
    assert code == status and set(answer) == {"error_code", "message"}, answer
    assert said in answer["message"] and "Traceback" not in answer["message"]
    assert len(answer["message"]) < 300 and "\n" not in answer["message"]


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_request_is_refused_in_a_line_and_a_good_one_answered(name: str, clients: dict[str, TestClient]) -> None:
    body, said = BODIES[name]
    check_refused(clients["values"], body, said, 413 if name == "too many bytes" else 400)
    assert ask(clients["values"], of("[[0.5, 1], [0.25, 1]]"))[0] == 200


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_bad_parameter_is_refused_in_a_line(name: str, clients: dict[str, TestClient]) -> None:
    params, said = PARAMETERS[name]
    check_refused(clients["nested"], of("the dog", params=params), said)


def test_what_is_no_json_by_its_headers_or_has_no_size_is_refused(clients: dict[str, TestClient]) -> None:
    for headers in ({}, {"Content-Type": "text/csv"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        code, answer = ask(clients["values"], of("[[1, 2]]"), headers)
        assert code == 415 and "the header Content-Type must be application/json, not" in answer["message"]
    answer = clients["values"].post("/invocations", content=iter([of("[[1, 2]]")]), headers=JSON)
    assert answer.status_code == 411 and "Content-Length" in answer.json()["message"]
    assert clients["values"].get("/invocations").status_code == 405
    assert clients["values"].post("/nothing").status_code == 404
    assert clients["values"].get("/ping").status_code == 200
    assert ask(clients["values"], of(), JSON | {"Content-Type": "application/json; charset=utf-8"}) == (
        200,
        {"predictions": []},
    )


def test_the_server_does_not_show_where_a_model_fails(
    runs: Path, clients: dict[str, TestClient], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(type(load_predictor(runs / "values")), "answer_batch", fail)
    code, answer = ask(clients["values"], of("[[1, 2]]"))
    assert code == 500 and answer["message"] == "the model could not answer; the server's standard error says why"
    assert "KeyError: 'inside'" in capsys.readouterr().err


GIVEN: list[tuple[str, str, dict[str, Any]]] = [
    ("dates", "May 3rd, 1988", {"n_best": 3, "beam_size": 4, "max_length": 7}),
    ("dates", "May 3rd, 1988", {"scores": True, "coverage": 0.5, "stop": "first"}),
    ("foresight", "Paris.", {}),
    ("foresight", "Paris.", {"tokens": "blanks"}),
    ("nested", "the dog", {"length": 7, "temperature": 1, "seed": 3}),
    ("nested", "the dog", {"score": True}),
]


@pytest.mark.parametrize("task, item, params", GIVEN)
def test_parameters_of_a_request_are_options_of_the_predictor(
    task: str, item: str, params: dict[str, Any], runs: Path, clients: dict[str, TestClient]
) -> None:
    answers = load_predictor(runs / task, **params)([item])
    assert ask(clients[task], of(item, params=params)) == (200, {"predictions": answers})
    untouched = {"params": dict.fromkeys(params)}
    assert ask(clients[task], of(item, **untouched)) == (200, {"predictions": load_predictor(runs / task)([item])})


def test_a_line_is_split_as_on_the_command_line(clients: dict[str, TestClient]) -> None:
    (answer,) = ask(clients["foresight"], of("Paris."))[1]["predictions"]
    assert answer["words"] == ["Paris", "."]


def test_the_signature_lists_the_parameters_of_each_kind(runs: Path) -> None:
    listed = {kind: [each["name"] for each in parameters_of(predictor)] for kind, predictor in PREDICTORS.items()}
    page = (ROOT / "docs/serving.md").read_text()
    for kinds, names in re.findall(r"^\| ([a-z, ]+) \| (`.+`|none) \|$", page.partition("## Limits")[0], re.MULTILINE):
        for kind in kinds.split(", "):
            assert listed.pop(kind) == re.findall(r"`(\w+)`", names)
    assert not listed
    with model_of_run(runs / "nested", LIMITS) as model:
        shown = str(model.metadata.signature)
    for line in ("'length': long (default: 50)", "'temperature': double (default: 0.7)", "'score': boolean (default: False)"):
        assert line in shown


def test_a_model_of_the_registry_is_served_with_its_parameters(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import register_model

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    version = register_model(run_folders.stored_model(runs / "nested"), "words").version
    client().set_registered_model_alias("words", "best", version)
    server = TestClient(application(stored_model("models:/words@best", LIMITS), max_bytes=10_000))
    answers = load_predictor(runs / "nested", length=3)(["the dog"])
    assert ask(server, of("the dog", params={"length": 3})) == (200, {"predictions": answers})
    check_refused(server, of("the dog", params={"length": 501}), "length: 501, and at most 500 are answered here")
    for wrong in ("models:/words@beast", "models:/nothing@best", "runs/nested", "models:/", "http://127.0.0.1:1/x"):
        with pytest.raises(ValueError, match=f"model={wrong} is none: .*; give models:/NAME@ALIAS, or run=FOLDER"):
            stored_model(wrong, LIMITS)


BAD = {
    "values": [body for body, _ in BODIES.values()],
    "nested": [of("the dog", params=params) for params, _ in PARAMETERS.values()],
}


@contextmanager
def serving(run: Path) -> Iterator[str]:
    """The address of ``rnn serve`` with a run; Ctrl-C ends it with code 0, and it leaves no file."""
    command = [sys.executable, "-m", "pipelines.serve", f"run={run}", "port=0", "max_bytes=1000000"]
    command += [f"{name}={most}" for name, most in LIMITS.items()]
    paths = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}) as process:
        assert process.stderr
        try:
            said = next(line for line in process.stderr if " answers by " in line)
            yield said.partition(" answers by ")[0]
        finally:
            process.send_signal(2)
            assert process.wait(30) == 0, process.stderr.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    "task, words", [("dates", "May 3rd"), ("foresight", "Paris"), ("nested", "lion wolf"), ("values", "0.25, 0")]
)
def test_the_requests_of_the_page_are_answered(task: str, words: str, runs: Path) -> None:
    (block,) = [block for block in blocks("sh") if block.page.name == "serving.md" and words in block.text]
    with serving(runs / task) as address:
        told = bash(block.text.replace("http://127.0.0.1:5001/invocations", address))
        assert told["predictions"] and set(told) == {"predictions"}
        for body in BAD.get(task, []):
            shown = "-s -o /dev/null -w '%{http_code}'"
            code = bash(f"curl {shown} {address} -H 'Content-Type: application/json' --data-binary @-", body)
            assert 400 <= code < 500, body[:200]
        assert bash(block.text.replace("http://127.0.0.1:5001/invocations", address))["predictions"]


def bash(text: str, given: bytes | None = None) -> Any:
    """What a shell block prints, as JSON."""
    return json.loads(subprocess.run(["bash", "-c", text], input=given, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("host", ["::zz", "192.0.2.1"])
def test_a_host_that_is_not_of_this_machine_is_not_said_to_be_a_port(host: str) -> None:
    said = rf"^host={host} port=0 cannot be listened on: .*; give an address of this machine, such as host=127.0.0.1$"
    with pytest.raises(ValueError, match=said):
        listening(host, 0)


def test_a_port_that_is_taken_is_said_to_be_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ValueError, match=rf"^host=127.0.0.1 port={port} cannot be listened on: .* in use; give another port$"
        ):
            listening("127.0.0.1", port)
