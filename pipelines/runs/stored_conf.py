"""A run's stored configuration as files of ``conf/``, and its corpus made of the settings in it by the code of today."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from pipelines.runs.cards import NOTE
from pipelines.runs.folders import Run
from pipelines.settings.base import ClassSpec, validate
from pipelines.settings.compose import exit_on_user_error
from rnn_lightning.files import add_sum, write_json

TRAINER = "stored"
"""The file of ``conf/trainer`` that has the run's."""
GROUPS = ("task", "rnn", "trainer")


def check_config(run: Run) -> None:
    """Refuse a run that does not say how it was configured, or was tested together with others.

    Raises:
        ValueError: naming what it lacks, or the others.
    """
    if others := [each["run"] for each in run.partners]:
        raise ValueError(f"the run was tested together with {', '.join(others)}, which no checkout has: make each again alone")
    if lacking := [name for name in GROUPS if not isinstance(run.config.get(name), dict)]:
        raise ValueError(f"the run cannot be made again: its stored configuration has no {', '.join(lacking)}")


def write_conf(run: Run, task: str, conf: Path) -> list[str]:
    """Write the run's stored configuration to the files of the folder ``conf``; returns the words that compose it."""
    for group, name in zip(GROUPS, (task, run.rnn, TRAINER), strict=True):
        (conf / group).mkdir(parents=True, exist_ok=True)
        (conf / group / f"{name}.yaml").write_text(yaml.safe_dump(run.config[group], sort_keys=False), encoding="utf-8")
    tuned = ["tuned=none"] if (conf / "tuned").exists() else []
    return [f"task={task}", f"rnn={run.rnn}", f"trainer={TRAINER}", *tuned, f"seed={run.seed}"]


def make_corpus(task: str, settings: dict[str, Any]) -> None:
    """Fetch and preprocess the corpus of these ``settings`` in the working folder, as those of ``task``.

    Raises:
        ValueError: where it cannot be made.
    """
    corpus, raw, processed = validate_corpus(settings), Path("data/raw") / task, Path("data/processed") / task
    for folder in (raw, processed):
        folder.parent.mkdir(parents=True, exist_ok=True)
    corpus.fetch(raw)
    corpus.preprocess(raw, processed)
    write_json(processed / NOTE, settings)
    add_sum(processed, NOTE)


def validate_corpus(settings: dict[str, Any]) -> Any:
    """The corpus of stored settings."""
    return validate(ClassSpec, settings).build()


if __name__ == "__main__":
    exit_on_user_error(lambda: make_corpus(sys.argv[1], json.loads(sys.argv[2])))
