"""Folders that commands are given as ``run=``: what is no evaluated run is told what it is, and what to do."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from run_folders import own_place, store_values

from pipelines import demo, export, microscope, predict, reproduce, share
from pipelines.measuring.elsewhere import measure_elsewhere
from pipelines.tracking.serving import model_of_run
from rnn_lightning import load_predictor
from rnn_lightning.export import export_run
from rnn_lightning.files import write_json, write_sums
from rnn_lightning.items.folders import EXPORT, again_for, no_run
from rnn_lightning.models import LanguageModel
from rnn_lightning.predictors.base import load_system

RUN = "give the folder of an evaluated run, such as runs/dates/lstm/1"
ITSELF = "give the folder of the run itself, such as runs/dates/lstm/1"
FOLDERS = {
    "nowhere": f"does not exist: {RUN}",
    "file": f"is a file: {RUN}",
    "empty": f"has no predictor.json, and so no evaluated run: {RUN}",
    "trained/1": "has a training that is not evaluated: `rnn evaluate` with its settings makes a run of it in runs/",
    "corpus": f"has the data of a corpus, and no network: {RUN}",
    "measured": f"has the measurement of a run on another corpus: {RUN}",
    "weights": f"has weights alone, which `from_pretrained` reads, and no predictor.json: {RUN}",
    "several": "has runs in folders of their own: give one of these, such as several/lstm/1",
    "onnx": f"is the export of a run as onnx, and `python -m rnn_lightning.runtime onnx` answers by it: {ITSELF}",
    "torch_export": f"is the export of a run as torch_export, and `torch.export.load` reads its graphs: {ITSELF}",
}
"""What is no evaluated run, and what is said of it."""
RECORD = f"is the export of a run as safetensors, and `rnn predict`, `rnn serve` and `rnn share` take it: {ITSELF}"


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("place")
    with own_place(where):
        run = store_values(where / "run")
        export_run(run, Path("safetensors"), "safetensors")
        Path("file").touch()
        files = {
            **{"empty/x": None, "trained/1/training.json": None, "corpus/card.json": None, "weights/config.json": None},
            **{"measured/measured.json": None, "measured/metrics.json": None, "measured/card.json": None},
            **{"several/lstm/1/metrics.json": None, "several/lstm/1/training.json": None},
        }
        for file in map(Path, files):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, {})
        for form in ("onnx", "torch_export"):  # as `export_run` leaves them, but for the graphs
            shutil.copytree(run, form, ignore=shutil.ignore_patterns("model.ckpt", "SHA256SUMS"))
            write_json(Path(form, EXPORT), {"format": form, "predictor": "values"})
            write_sums(Path(form))
        yield where


def serve(words: list[str]) -> None:
    with model_of_run(Path(words[0].removeprefix("run=")), {}):
        pass


COMMANDS: dict[str, Callable[[list[str]], object]] = {
    "predict": lambda words: predict.reader(predict.read_options(words)),
    "serve": serve,
    "export": export.export,
    "share": lambda words: share.share([*words, "to=owner/name"]),
    "microscope": microscope.microscope,
    "demo": lambda words: demo.trials([Path(folder) for folder in demo.read_words(words).run]),
    "evaluate": lambda words: measure_elsewhere([*words, "on=adding"]),
}


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_the_folder_is(command: str, folder: str) -> None:
    with pytest.raises((ValueError, OSError), match=re.escape(f"{folder} {FOLDERS[folder]}")):
        COMMANDS[command]([f"run={folder}"])


@pytest.mark.parametrize("command", ["microscope", "demo", "evaluate"])
def test_a_command_that_needs_the_record_of_a_training_refuses_weights(command: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"safetensors {RECORD}")):
        COMMANDS[command](["run=safetensors"])


def test_a_system_of_another_kind_is_refused_by_the_name_of_its_kind() -> None:
    with pytest.raises(ValueError, match="run is a run of kind regression, and one of kind language is needed here: name such"):
        load_system(LanguageModel, "run")


def test_a_damaged_file_is_made_again_as_it_was_made() -> None:
    assert again_for("run") == "evaluate the run again" and again_for("safetensors") == "export the run again"
    tokenizer = Path("safetensors/predictor.json")
    kept = tokenizer.read_bytes()
    tokenizer.write_bytes(kept + b" ")
    with pytest.raises(ValueError, match=r"predictor.json is damaged.*: export the run again"):
        load_predictor("safetensors")
    tokenizer.write_bytes(kept)


def test_a_run_is_made_again_by_its_folder() -> None:
    for folder, said in {"onnx": FOLDERS["onnx"], "trained/lstm/1": f"does not exist: {RUN}"}.items():
        with pytest.raises(ValueError, match=re.escape(f"{folder} {said}") if folder == "onnx" else "results/trained.json"):
            reproduce.find(folder, None)
    with pytest.raises(ValueError, match=re.escape(no_run("x/trained/lstm/1"))):
        reproduce.find("x/trained/lstm/1", None)
