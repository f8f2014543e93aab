"""Stages with nothing to do: they find it out without what they would compute with, and only where it is true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import own_place, with_corpus

from pipelines.runs.done import is_preprocessed, note_preprocessed
from pipelines.settings.compose import compose
from pipelines.train import train
from rnn_lightning.files import write_sums

ROOT = Path(__file__).parents[1]
SMALL = ["task=adding", "rnn=lstm", "task.parameters=null", "+task.rnn.hidden_size=4", "task.training.validate_every=null"]
CORPUS = ["task=adding", "task.corpus.rows={train: 40, validation: 10, test: 10}"]
ROWS = CORPUS[1:]
HEAVY = {"torch", "lightning", "torchmetrics", "mlflow", "matplotlib", "datasets", "tokenizers", "optuna", "pandas", "scipy"}
TRAINED = "trained/adding/{}/1 is trained. Next: `python -m pipelines.evaluate` with the same settings"


def command(stage: str, words: list[str], project: Path) -> tuple[str, set[str]]:
    """What a stage prints, and the names of all modules that it imports."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db", "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-X", "importtime", "-m", f"pipelines.{stage}", *words]
    done = subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 0, told
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    return done.stdout.strip(), imported


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of 60 rows, and with a training."""
    folder = tmp_path_factory.mktemp("project")
    with own_place(with_corpus(folder, CORPUS)):
        train(compose([*SMALL, *ROWS]))
    return folder


def test_a_corpus_that_is_up_to_date_is_left_as_it_is(project: Path) -> None:
    file = project / "data/processed/adding/train.npz"
    made = file.stat().st_mtime_ns
    told, imported = command("preprocess", CORPUS, project)
    assert told == "data/processed/adding is up to date" and file.stat().st_mtime_ns == made
    assert not HEAVY & imported


def test_a_training_that_is_done_is_left_as_it_is(project: Path) -> None:
    (trained,) = (project / "trained/adding").iterdir()
    made = trained.stat().st_mtime_ns
    told, imported = command("train", [*SMALL, *ROWS], project)
    assert told == TRAINED.format(trained.name) and trained.stat().st_mtime_ns == made
    assert not HEAVY & imported


@pytest.mark.slow
def test_what_is_damaged_is_made_again(project: Path) -> None:
    (trained,) = (project / "trained/adding").iterdir()
    for stage, words, file in (
        ("preprocess", CORPUS, project / "data/processed/adding/train.npz"),
        ("preprocess", CORPUS, project / "work/preprocessed/adding.json"),
        ("train", [*SMALL, *ROWS], trained / "1/model.ckpt"),
    ):
        whole = file.read_bytes()
        file.write_bytes(whole[:-3])
        command(stage, words, project)
        assert file.read_bytes() == whole


@pytest.mark.slow
def test_other_rows_are_made(project: Path) -> None:
    more = ["task=adding", "task.corpus.rows={train: 41, validation: 10, test: 10}"]
    command("fetch", more, project)
    assert command("preprocess", more, project)[0].startswith("data/processed/adding: train 41 rows, ")
    assert command("preprocess", more, project)[0] == "data/processed/adding is up to date"
    command("fetch", CORPUS, project)
    assert command("preprocess", CORPUS, project)[0].startswith("data/processed/adding: train ")


@pytest.mark.parametrize("stage", ["fetch", "preprocess", "train", "evaluate", "predict", "repro"])
def test_help_waits_for_little(stage: str, tmp_path: Path) -> None:
    told, imported = command(stage, ["--help"], tmp_path)
    assert told and not (HEAVY - {"torch"} if stage == "predict" else HEAVY) & imported


@pytest.mark.parametrize(("task", "key"), [("wikitext2", "tokenizer"), ("foresight", "vectors")])
def test_another_file_of_the_same_name_makes_another_corpus(
    task: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = compose([f"task={task}", f"++task.corpus.{key}=given.file"])
    for folder in (experiment.raw(), experiment.processed()):
        folder.mkdir(parents=True)
        write_sums(folder)
    Path("given.file").write_text("one")
    note_preprocessed(experiment)
    assert is_preprocessed(experiment)
    Path("given.file").write_text("another")
    assert not is_preprocessed(experiment)
