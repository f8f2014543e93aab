"""What is damaged is found by whoever reads it, what is hostile runs nothing, what asks for too much gets no memory."""

import builtins
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from often import those
from run_folders import run_by_stages

from pipelines.evaluate import evaluate
from pipelines.preprocess import preprocess
from pipelines.runs.folders import read_run
from pipelines.runs.provenance import note_environment, versions
from pipelines.settings.compose import compose, exit_on_user_error
from pipelines.settings.schema import Experiment
from pipelines.settings.tasks import read_card
from pipelines.training.longer import STATE
from pipelines.training.run import train_one
from rnn_lightning import AtomicCheckpointIO, Durable, SequenceClassifier, load_predictor
from rnn_lightning.files import SUMS, write_sums
from rnn_lightning.models.checkpoints import read_checkpoint

SMALL = ["rnn=gru", "task.corpus.rows={train:60,validation:8,test:8}", "task.training.epochs=1", "trainer.checkpoint_seconds=0"]
SMALL += ["task.parameters=4000", "task.training.validate_every=2", "task.data.batch_size=8"]
VOCABULARIES = ("lexicon.json", "tokenizer.json", "target_tokenizer.json")
TASKS = {"dates": "a translation", "foresight": "a tagger", "adding": "a value"}


@pytest.fixture(scope="module", params=those([*TASKS], lambda task: task == "adding"), ids=TASKS.values())
def experiment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """Of a task whose run all stages have made in the working folder."""
    settings = [f"task={request.param}", *SMALL]
    with run_by_stages(tmp_path_factory.mktemp("integrity"), settings):
        yield compose([*settings, "seed=1"])


def readers(file: Path, experiment: Experiment) -> list[Callable[[], object]]:
    """The stages that read a file of the project, in the order in which they are to be asked."""
    data = Path("data")
    by_folder: dict[str, list[Callable[[], object]]] = {
        "data/raw": [lambda: preprocess(experiment)],
        "data/processed": [
            lambda: read_card(data, experiment.task_name),
            lambda: evaluate(experiment),
            lambda: [experiment.task.data.build(folder=experiment.processed()).arrays(s) for s in ("train", "validation")],
        ],
        "trained": [lambda: evaluate(experiment)],
        "runs": [lambda: read_run(experiment.run(1)), lambda: load_predictor(experiment.run(1))],
        "work": [
            lambda: note_environment(file.parent, versions()),
            lambda: read_checkpoint(file) if file.name == STATE else None,  # a longer training goes on from it
            lambda: train_one(experiment, 1),
        ],
    }
    return next(asked for folder, asked in by_folder.items() if file.as_posix().startswith(folder))


def artefacts() -> list[Path]:
    """The files that stages, predictors and servers read of a run that is done; figures and records are for people."""
    files = [file for folder in ("data", "trained", "runs", "work") for file in Path(folder).rglob("*") if file.is_file()]
    shown = {".png", ".md", ".csv"}  # figures of a training that goes on, for people
    skipped = [f for f in files if f.suffix == ".lock" or f.name == "lock" or (f.parts[0] == "work" and f.suffix in shown)]
    skipped += Path("work/preprocessed").glob("*")  # compared as a whole: where it differs, the corpus is made again
    return sorted(file for file in {*files} - {*skipped} if file.stat().st_size)


def refused(file: Path, experiment: Experiment) -> bool:
    """Whether one of the readers of ``file`` refuses it in one line that says so."""
    for read in readers(file, experiment):
        try:
            read()
        except ValueError as error:
            return "\n" not in str(error) and ("damaged" in str(error) or "is missing" in str(error))
    return False


def flips(experiment: Experiment, count: int) -> list[str]:
    """What ``count`` flipped bits, evenly over all artefacts, were not found in."""
    draws, files, missed = random.Random(0), artefacts(), []
    for number in range(count):
        file = files[number % len(files)]
        whole = file.read_bytes()
        place, bit = draws.randrange(len(whole)), draws.randrange(8)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        if not refused(file, experiment):
            missed.append(f"{file} byte {place} bit {bit}")
        file.write_bytes(whole)
    return missed


def test_a_flipped_bit_of_any_artefact_is_found(experiment: Experiment) -> None:
    assert flips(experiment, len(artefacts())) == []


@pytest.mark.slow
def test_a_thousand_flipped_bits_are_found(experiment: Experiment) -> None:
    assert flips(experiment, 1000) == []


def swap_entries(file: Path) -> None:
    """Let two words, or the targets of two rows or steps, change places: all sizes stay."""
    if file.suffix == ".npz":
        arrays = dict(np.load(file))
        arrays["targets"] = np.roll(arrays["targets"], 1)
        np.savez(file, allow_pickle=False, **arrays)
        return
    content = json.loads(file.read_text())
    if file.name == "lexicon.json":
        content["words"][:2] = content["words"][1::-1]
    else:
        one, *_, other = (vocabulary := content["model"]["vocab"])
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    file.write_text(json.dumps(content))


def test_swapped_entries_of_a_processed_corpus_stop_training_and_evaluation(
    experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = experiment.processed()
    texts = {file: (train_one, evaluate) for name in VOCABULARIES if (file := folder / name).exists()}
    for file, stages in (texts | {folder / "train.npz": (train_one,), folder / "test.npz": (evaluate,)}).items():
        whole = file.read_bytes()
        swap_entries(file)
        for stage in stages:
            with pytest.raises(SystemExit) as ended:
                exit_on_user_error(lambda stage=stage: stage(experiment, 2) if stage is train_one else stage(experiment))
            said = capsys.readouterr().err
            assert ended.value.code == 2 and said.startswith(f"error: {file} is damaged, its "), said
            assert said.count("\n") == 1
        file.write_bytes(whole)
    evaluate(experiment)


class Payload:
    """What a hostile checkpoint would run."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, Any]:
        return self.call


def payloads(canary: str) -> list[Any]:
    """Twelve ways to leave a file at ``canary``."""
    write = f"open({canary!r}, 'w').close()"
    calls = [
        Payload(os.system, f"touch {canary}"),
        Payload(os.mkdir, canary),
        Payload(builtins.exec, write),
        Payload(builtins.eval, write),
        Payload(subprocess.call, ["touch", canary]),
        Payload(shutil.copy, __file__, canary),
        Payload(torch.save, 1, canary),
        Payload(builtins.open, canary, "w"),
    ]
    places = [{"state_dict": calls[2]}, {"hyper_parameters": calls[3]}, [calls[0]], {"callbacks": calls[4]}]
    return [*calls, *places]


WAYS: dict[str, Callable[[Any], object]] = {
    "system": SequenceClassifier.load_from_checkpoint,
    "system, weights_only=None": lambda path: SequenceClassifier.load_from_checkpoint(path, weights_only=None),
    "system, weights_only=False": lambda path: SequenceClassifier.load_from_checkpoint(path, weights_only=False),
    "plugin": AtomicCheckpointIO().load_checkpoint,
    "plugin, weights_only=False": lambda path: AtomicCheckpointIO().load_checkpoint(path, weights_only=False),
    "trainer": lambda path: lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, plugins=[AtomicCheckpointIO()]
    ).validate(SequenceClassifier({"cell": "gru", "hidden_size": 2}, 1), [torch.zeros(1)], ckpt_path=path, verbose=False),
    "predictor": lambda path: load_predictor(Path(path).parent),
}


@pytest.mark.parametrize("way", those([*WAYS], lambda way: way != "system, weights_only=None"))
def test_no_way_to_load_runs_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    canary = tmp_path / "canary"
    for number, payload in enumerate(payloads(str(canary))):
        folder = tmp_path / str(number)
        folder.mkdir()
        file, link, linked = folder / "model.ckpt", folder / "link.ckpt", tmp_path / f"linked{number}"
        torch.save(payload, file)
        canary.unlink(missing_ok=True)
        (folder / "predictor.json").write_text('{"predictor": "classification", "files": [], "inputs": {"name": "arrays"}}')
        write_sums(folder)
        link.symlink_to(file)
        linked.symlink_to(folder)
        for path in (file, str(file), link, file.as_uri(), f"simplecache::{file.as_uri()}", folder, linked / "model.ckpt"):
            with pytest.raises(Exception):  # noqa: B017 - of every kind
                WAYS[way](path)
            assert not canary.exists()


@pytest.mark.parametrize("place", ["http://127.0.0.1:9/m.ckpt", Path("http://127.0.0.1:9/m.ckpt"), "file:///m.ckpt", "s3://m"])
def test_a_system_is_loaded_from_this_machine_only(place: str | Path) -> None:
    with pytest.raises(ValueError, match="local files only"):
        SequenceClassifier.load_from_checkpoint(place)


@pytest.mark.parametrize("changes", [{"hidden_size": 200_000}, {"num_layers": 1000}, {"hidden_size": 2, "num_layers": 2}])
def test_settings_that_the_weights_do_not_fit_take_no_memory(tmp_path: Path, changes: dict[str, int]) -> None:
    system = SequenceClassifier({"cell": "lstm", "hidden_size": 2}, 1)
    settings = dict(system.hparams) | {"rnn": {"cell": "lstm", "hidden_size": 2} | changes}
    checkpoint = {"state_dict": system.state_dict(), "hyper_parameters": settings, "pytorch-lightning_version": "2.6.6"}
    AtomicCheckpointIO().save_checkpoint(checkpoint, tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match=r"model\.ckpt (does not hold the weights|ask for more)"):
        SequenceClassifier.load_from_checkpoint(tmp_path / "model.ckpt")


def test_a_damaged_last_checkpoint_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    durable, save = Durable(tmp_path, seed=1), AtomicCheckpointIO().save_checkpoint
    for step in (1, 2):
        save({"step": step}, durable.last, durable.previous)
    save({"step": 1}, durable.best)
    durable.last.write_bytes(durable.last.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"last\.ckpt is damaged.*; the training goes on from .*previous\.ckpt"):
        assert durable.resumable() == durable.last
    assert AtomicCheckpointIO().load_checkpoint(durable.last) == {"step": 1}
    durable.best.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"best\.ckpt is damaged.*; the training begins anew"):
        assert durable.resumable() is None
    assert list(tmp_path.iterdir()) == []


def test_the_sums_are_those_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    write_sums(tmp_path)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path, check=True, capture_output=True)
