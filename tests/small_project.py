"""A project of its own in a folder, with tasks so small that every stage takes a second, and runs of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from command_worker import Worker
from house import ROOT, tracked
from stores import copy_empty

TASKS = ("adding", "nested", "dates", "strokes", "foresight")
"""A task of each kind that needs no network: values, language, translation, recognition, tagging."""
SMALL: dict[str, dict[str, Any]] = {
    "corpus": {"rows": {"train": 60, "validation": 10, "test": 12}},
    "data": {"batch_size": 10, "eval_batch_size": 10},
    "training": {"epochs": 1, "clip": 1.0, "validate_every": 2},
}
PARAMETERS = {"adding": 300, "nested": 5000, "dates": 3000, "strokes": 500, "foresight": 1500}
STAGES = ("fetch", "preprocess", "train", "evaluate")


def copy_project(project: Path) -> Path:
    """The tracked files of the project, with smaller tasks, and with a limit of memory."""
    for path in tracked("src", "pipelines", "conf", "hub", "results", "docs", "dvc.yaml", "README.md", "pyproject.toml"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, project / path)
    for task in TASKS:
        file = project / "conf" / "task" / f"{task}.yaml"
        values = yaml.safe_load(file.read_text())
        for room, changed in SMALL.items():
            values[room] |= changed
        file.write_text(yaml.safe_dump(values | {"parameters": PARAMETERS[task]}))
    with (project / "conf" / "trainer" / "cpu.yaml").open("a") as trainer:
        trainer.write("memory_limit_gb: 1.5\n")
    copy_empty(project / "mlflow.db")
    return project


def make_runs(project: Path, worker: Worker, tasks: Sequence[str]) -> None:
    """The run TASK/lstm/1 of each task."""
    for task in tasks:
        for stage in STAGES:
            told = worker.run(stage, [f"task={task}", "rnn=lstm", "seed=1"], project)
            assert told.code == 0, told
