"""Measurements of runs on other corpora than their own, ``measured/TASK/RNN/SEED/CORPUS/``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.runs.folders import Run
from rnn_lightning.files import check_sums, read_json, sha256

FACTS = "measured.json"
"""What was measured, on which data, by which weights."""


class Measured(NamedTuple):
    """The metrics of one run on another corpus, by the name of that, in ``folder``; ``data`` is the hash of its encoded test
    split."""

    run: Run
    folder: Path
    metrics: dict[str, float]
    data: str

    @property
    def on(self) -> str:
        return self.folder.name


def measured_folder(run: Path, on: str) -> Path:
    """Where the measurement of the run in a folder ``.../TASK/RNN/SEED`` on the corpus ``on`` lies."""
    return Path("measured", *run.resolve().parts[-3:], on)


def read_measured(runs: Path, task: str, finished: Sequence[Run]) -> list[Measured]:
    """The measurements of the ``finished`` runs of a task, by corpus; what was measured with other weights is told and left
    out."""
    made = []
    for run in finished:
        own = Path(task, run.folder_name, str(run.seed))
        for file in sorted((runs.parent / "measured" / own).glob(f"*/{FACTS}")):
            check_sums(file.parent, [FACTS, "metrics.json"], again="measure the run again")
            facts, metrics = read_json(file), read_json(file.parent / "metrics.json")
            if facts["weights"] != sha256(runs / own / "model.ckpt"):
                print(f"{file.parent} was measured with other weights than the run has: measure it again", file=sys.stderr)
                continue
            known = {name: value for name, value in metrics.items() if value is not None}
            made.append(Measured(run, file.parent, known, facts["data"]))
    return sorted(made, key=lambda each: each.on)
