"""``rnn export`` and ``python -m rnn_lightning.runtime`` as people use them: what they leave, print and refuse."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_folders import own_place, store_values

from pipelines.export import export, read_words
from pipelines.predict import reader
from rnn_lightning import load_predictor
from rnn_lightning.export import ParityError, export_run, folders
from rnn_lightning.files import check_sums, read_json
from rnn_lightning.runtime import __main__ as runtime
from rnn_lightning.runtime import load

ROOT = Path(__file__).parents[1]
ITEM = "[[0.5, 1], [0.25, 0], [0.75, 1]]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run of a network from arrays to a value, and its export in ``exports/``."""
    with own_place(tmp_path_factory.mktemp("place")) as _:
        folder = store_values(Path("runs/adding/lstm/1"))
        export([f"run={folder}"])
        yield folder


def test_the_command_leaves_a_folder_that_answers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export([f"run={run}/"])
    assert "exports/adding-lstm-1 has runs/adding/lstm/1/ as onnx, which differs from the network by" in capsys.readouterr().out
    check_sums(Path("exports/adding-lstm-1"), again="")
    (answer,) = load("exports/adding-lstm-1")([ITEM])
    assert answer["value"] == pytest.approx(load_predictor(run)([ITEM])[0]["value"], abs=1e-5)


@pytest.mark.parametrize(
    ("run_folder", "target"),
    [
        ("runs/adding/lstm/1", "adding-lstm-1"),
        ("exports/adding-lstm-1", "adding-lstm-1-onnx"),
        ("exports/adding-lstm-1/", "adding-lstm-1-onnx"),
        ("downloads/model", "model-onnx"),
    ],
)
def test_a_folder_is_named_by_what_is_exported(run_folder: str, target: str) -> None:
    assert read_words([f"run={run_folder}"]).target() == Path("exports", target)


def test_weights_that_are_shared_are_not_exported_as_what_they_are(run: Path) -> None:
    export([f"run={run}", "format=safetensors", "to=exports/shared"])
    with pytest.raises(ValueError, match="exports/shared is of safetensors already: copy it, or give format=onnx"):
        export(["run=exports/shared", "format=safetensors"])


def test_lines_are_answered_without_pytorch_and_bad_ones_named(run: Path) -> None:
    lines = f"{ITEM}\nhalf\n\n[[1, 2]]\n".encode()
    hidden = "import sys; sys.modules['torch'] = None; sys.argv = ['runtime', *sys.argv[1:]]; import runpy; "
    hidden += "runpy.run_module('rnn_lightning.runtime', run_name='__main__')"
    command = [sys.executable, "-c", hidden, "exports/adding-lstm-1", "format=json", "batch_size=2"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, input=lines, capture_output=True, env=environment, check=False)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert done.returncode == 1 and [answer["line"] for answer in answers] == [1, 2, 3, 4]
    assert done.stderr.decode().startswith("error: line 2, half: it is no JSON of an array of 2 features")
    assert answers[0]["value"] == pytest.approx(load_predictor(run)([ITEM])[0]["value"], abs=1e-5)


def test_a_reader_that_is_gone_ends_the_runtime_silently(run: Path) -> None:
    words = f"{shlex.quote(sys.executable)} -m rnn_lightning.runtime exports/adding-lstm-1"
    script = f"set -o pipefail; yes {shlex.quote(ITEM)} | head -2000 | {words} | head -1"
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, env=environment, check=False)
    assert done.returncode == 141 and done.stderr == b"" and len(done.stdout.splitlines()) == 1


def test_of_an_export_without_its_packages_nothing_is_left(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise ImportError("No module named 'onnx'")

    monkeypatch.setattr(folders, "write_graph", absent)
    with pytest.raises(ValueError, match="format=onnx takes packages that are not here: pip install"):
        export([f"run={run}", "to=elsewhere/exports/one"])
    assert not Path("elsewhere").exists()


def test_options_are_those_that_a_kind_has(run: Path) -> None:
    with pytest.raises(ValueError, match=r"max_beam: there is no such setting; there are batch_size, format$"):
        reader({"run": str(run), "max_beam": 3})


WORDS = {
    "exports/nothing": "exports/nothing has no export.json: give the folder that `rnn export run=FOLDER` has written",
    "exports/adding-lstm-1 beam_size=3": "beam_size: there is no such option; there are format, batch_size, threads",
    "exports/adding-lstm-1 batch_size=0": "batch_size must be a whole number of at least 1, not 0",
    "exports/adding-lstm-1 batch_size=x": "batch_size must be a whole number of at least 1, not 'x'",
    "exports/adding-lstm-1 format=xml": "format must be one of ['text', 'json'], not 'xml'",
    "exports/adding-lstm-1 threads": "threads is no option: give KEY=VALUE",
    "exports/adding-lstm-1 constraints={prefix:1}": (
        'constraints is no JSON: write names and texts in ", such as constraints={"prefix": "19"}'
    ),
    "exports/adding-lstm-1 threads=-1": "threads must be a whole number of at least 1, not -1",
}


@pytest.mark.parametrize("words", WORDS)
def test_bad_words_of_the_runtime_are_one_line(
    words: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ITEM.encode())))
    assert runtime.command(words.split()) == 2
    assert capsys.readouterr().err == f"error: {WORDS[words]}\n"


def test_closed_standard_input_is_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert runtime.command(["exports/adding-lstm-1"]) == 2
    assert capsys.readouterr().err == "error: standard input is closed: give it lines, such as < lines.txt\n"


def test_an_interrupt_of_the_runtime_is_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(words: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "main", interrupt)
    assert runtime.command(["exports/adding-lstm-1"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_damaged_export_is_refused(run: Path, tmp_path: Path) -> None:
    export_run(run, tmp_path / "there")
    file = tmp_path / "there" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"model.onnx is damaged, .*: export the run again"):
        load(tmp_path / "there")


def test_what_is_there_and_no_export_stays(run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("dear diary")
    with pytest.raises(ValueError, match=f"to={tmp_path}/notes is there, and no exported network: give another folder"):
        export([f"run={run}", f"to={tmp_path}/notes"])
    assert (tmp_path / "notes" / "mine.txt").read_text() == "dear diary"


def test_nothing_is_left_of_an_export_that_differs(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> float:
        raise ParityError("the graph model is not that of the network")

    monkeypatch.setattr(folders, "check_parity", wrong)
    with pytest.raises(ValueError, match="the graph model is not that of the network"):
        export_run(run, tmp_path / "there")
    assert not any(tmp_path.iterdir())


def test_other_formats_are_written_and_are_not_run_here(run: Path, tmp_path: Path) -> None:
    for form, file in (("torch_export", "model.pt2"), ("safetensors", "model.safetensors")):
        export([f"run={run}", f"to={tmp_path / form}", f"format={form}"])
        assert (tmp_path / form / file).exists() and read_json(tmp_path / form / "export.json")["format"] == form
        if form == "safetensors":
            assert load_predictor(tmp_path / form)([ITEM]) == load_predictor(run)([ITEM])
        with pytest.raises(ValueError, match=f"is exported as {form}, and what runs here is onnx: export with format=onnx"):
            load(tmp_path / form)
