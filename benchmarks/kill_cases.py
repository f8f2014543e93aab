"""Commands of the pipeline on small tasks of every kind of system, for `benchmarks.kill_stages`: what it kills."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipelines.settings.places import PROJECT
from rnn_lightning.files import sha256, write_json

ALWAYS = ["seed=1", "trainer.checkpoint_seconds=0", "task.training.epochs=3", "task.training.validate_every=5"]
TASKS = {
    "adding": ["rnn=gru", "task.corpus.steps=10", "task.parameters=600", "task.data.batch_size=20"],
    "nested": ["rnn=lstm", "task.parameters=5000", "task.data.batch_size=5"],
    "copying": ["rnn=layernorm_lstm", "task.corpus.delay=5", "task.data.steps=26", "task.parameters=3000"],
    "foresight": ["rnn=bilstm", "task.parameters=3000", "task.data.batch_size=20"],
    "dates": ["rnn=gru", "task.parameters=5000", "task.data.batch_size=20"],
    "strokes": ["rnn=bilstm", "task.parameters=3000", "task.data.batch_size=10"],
    "clinc": ["rnn=elman", "task.corpus.out_of_scope=null", "task.parameters=8000", "task.data.batch_size=10"],
    "phonemes": ["rnn=bigru", "task.parameters=5000", "task.data.batch_size=10"],
}
"""A regressor, two language models, a tagger, an encoder-decoder, a recogniser, a classifier and a framewise classifier."""
ROWS = {
    "adding": (300, 40, 40),
    "nested": (150, 20, 20),
    "copying": (200, 20, 20),
    "dates": (200, 20, 20),
    "strokes": (120, 15, 15),
}
USUAL_ROWS = (200, 30, 30)
SPLITS = ("train", "validation", "test")
GRIDS = "generated:\n  - {task: [adding], rnn: [elman, gru], seeds: 1}\nother:\n  - {task: [nested], rnn: [lstm], seeds: 1}\n"
SMALLER = {
    "steps: 50": "steps: 10",
    "20000": "1500",
    "parameters: 5000": "parameters: 500",
    "validate_every: 200": "validate_every: 20",
}


class Case(NamedTuple):
    """What is killed: a module with its arguments, in a project that ``prepare`` makes and in which ``before`` has run.

    Args:
        kept: folders whose files must be equal after a kill; ``decisive`` only those of them with these ends.
        alone: whether it runs in a fork of the campaign, which has imported all, or as a command with all its processes.
    """

    command: list[str]
    before: list[list[str]]
    kept: tuple[str, ...]
    prepare: Callable[[Path], None]
    decisive: tuple[str, ...] = ("",)
    alone: bool = True


def settings(task: str) -> list[str]:
    """The command line of a small task."""
    rows = ROWS.get(task, USUAL_ROWS)
    counts = ",".join(f"{split}:{count}" for split, count in zip(SPLITS, rows, strict=True))
    return [f"task={task}", *ALWAYS, *TASKS[task], f"task.corpus.rows={{{counts}}}"]


def stages(task: str, *names: str) -> list[list[str]]:
    """The commands of these stages; a task of the Hub is fetched already."""
    return [[f"pipelines.{name}", *settings(task)] for name in names if name != "fetch" or task not in FETCHED]


def cases() -> dict[str, Case]:
    """By name, all commands that are killed."""
    found = {f"fetch {task}": Case(stages(task, "fetch")[0], [], ("data/raw",), empty) for task in ("adding", "strokes")}
    made = ("fetch", "preprocess", "train", "evaluate")
    kept = {"preprocess": ("data/processed",), "train": ("trained",), "evaluate": ("runs",)}
    for at, (stage, folders) in enumerate(kept.items(), 1):
        for task in TASKS:
            command, before = [f"pipelines.{stage}", *settings(task)], stages(task, *made[:at])
            found[f"{stage} {task}"] = Case(command, before, folders, fetched if task in FETCHED else empty)
    found["compare"] = Case(["pipelines.compare", "task=adding"], stages("adding", *made), ("reports",), empty)
    nested = [word for word in settings("nested") if word != "seed=1"]
    data = stages("nested", "fetch", "preprocess")
    seeds = ["pipelines.train", *nested, "seeds=3", "workers=2"]
    two = ["pipelines.train", *nested, "seed=1", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    found["train seeds side by side"] = Case(seeds, data, ("trained",), empty, alone=False)
    found["train ddp"] = Case(two, data, ("trained",), empty, alone=False)
    decisive = ("metrics.json", "model.ckpt", ".npz")
    for name, command in {"dvc repro": ["dvc", "repro"], "make repro": ["pipelines.repro"]}.items():
        found[name] = Case(command, [], ("runs", "data/processed"), project, decisive, alone=False)
    again = ["pipelines.reproduce", "runs/adding/gru/1"]
    usual = [[f"pipelines.{stage}", "task=adding", "rnn=gru", "seed=1"] for stage in made]
    found["reproduce"] = Case(again, usual, ("runs", "work/reproduced"), project, alone=False)
    return found


def environment(place: Path) -> dict[str, str]:
    """Of commands in ``place``: its code is the project's own, where it has one, and so is its dashboard."""
    code = place if (place / "pipelines").exists() else PROJECT
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db"}
    return {**os.environ, **store, "PYTHONPATH": f"{code}:{code}/src", "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}


def empty(place: Path) -> None:
    """A folder to work in."""
    place.mkdir(parents=True)


def project(place: Path) -> None:
    """A copy of the project, as a repository of its own, with a grid of two small runs."""
    for part in ("pipelines", "conf", "src", "results", ".dvc"):
        shutil.copytree(PROJECT / part, place / part, ignore=shutil.ignore_patterns("__pycache__", "cache", "tmp"))
    (place / "hub").mkdir()
    for file in ("dvc.yaml", "hub/dvc.yaml", ".gitignore"):
        shutil.copy(PROJECT / file, place / file)
    (place / "conf/grid.yaml").write_text(GRIDS)
    file = place / "conf/task/adding.yaml"
    text = file.read_text()
    for before, after in SMALLER.items():
        text = text.replace(before, after)
    file.write_text(text)
    subprocess.run([sys.executable, "-m", "pipelines.grid"], cwd=place, env=environment(place), check=True)
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "A copy"]):
        subprocess.run(["git", *words], cwd=place, check=True)


def fetched(place: Path) -> None:
    """A folder with what a fetch from the Hub leaves, of requests in words and of tones with a label for each frame."""
    import pyarrow
    from pyarrow import parquet

    from pipelines.settings.compose import compose
    from rnn_lightning.files import write_sums

    for task, columns in FETCHED.items():
        folder = place / "data/raw" / task
        folder.mkdir(parents=True)
        for number, (split, rows) in enumerate(zip(SPLITS, USUAL_ROWS, strict=True)):
            parquet.write_table(pyarrow.table(columns(np.random.default_rng(number), rows)), folder / f"{split}.parquet")
        asked = compose(settings(task)).task.corpus.model_extra or {}
        origin = {name: asked[name] for name in ("repository", "config", "revision")} | {"licence": "cc0-1.0"}
        write_json(folder / "source.json", origin | {"files": {file.name: sha256(file) for file in folder.iterdir()}})
        write_sums(folder)


def requests(draws: np.random.Generator, rows: int) -> dict[str, list[Any]]:
    """Texts of five words of thirty; the class is the first word's remainder by three."""
    numbers = draws.integers(0, 30, (rows, 5))
    return {"text": [" ".join(f"w{word}" for word in row) for row in numbers], "intent": [f"c{row[0] % 3}" for row in numbers]}


def tones(draws: np.random.Generator, rows: int) -> dict[str, list[Any]]:
    """Sounds of two tones, 0.1 s each, with the name of each."""
    import soundfile

    names, hertz, rate = ("a", "b", "c"), (400.0, 900.0, 2000.0), 16_000
    table: dict[str, list[Any]] = {"audio": [], "id": [], "phonemes": [], "subset": []}
    for row in range(rows):
        kinds, buffer = draws.integers(0, 3, 2), io.BytesIO()
        sound = np.concatenate([np.sin(2 * np.pi * hertz[kind] * np.arange(rate // 10) / rate) for kind in kinds])
        soundfile.write(buffer, 0.3 * sound + 0.05 * draws.standard_normal(len(sound)), rate, format="WAV", subtype="PCM_16")
        table["audio"].append({"bytes": buffer.getvalue(), "path": None})
        table["id"].append(f"row-{row}")
        table["phonemes"].append(
            [{"phoneme": names[kind], "start": at / 10, "end": (at + 1) / 10} for at, kind in enumerate(kinds)]
        )
        table["subset"].append("old" if row % 2 else "new")
    return table


FETCHED: dict[str, Callable[[np.random.Generator, int], dict[str, list[Any]]]] = {"clinc": requests, "phonemes": tones}
"""Tasks of the Hub, with the columns that are made up in place of its own."""
