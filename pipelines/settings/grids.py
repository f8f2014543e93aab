"""The grids of ``conf/grid.yaml``: by report, the runs that it compares."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.settings.base import validate
from pipelines.settings.keywords import named
from pipelines.settings.places import files_by_name
from pipelines.settings.schema import Experiment, Grid
from pipelines.settings.yaml_files import read_yaml

MAIN = "generated"
"""The grid of the root's ``dvc.yaml``, which plain ``dvc repro`` makes."""
MAIN_FILE, HUB_FILE = Path("dvc.yaml"), Path("hub/dvc.yaml")
"""The files of DVC: of the grid `MAIN`, and of all others."""
DEFAULT_TRAINER = "cpu"
"""The trainer of ``config.yaml``, and of grids that name none."""
RESERVED = ("scores", "costs", "curves", "sweeps")
"""Folders of ``reports/`` that are no report."""


class PlannedRun(NamedTuple):
    """One architecture on one task, for seeds 1 to ``seeds``, in the grid ``report``."""

    report: str
    task: str
    rnn: str
    trainer: str
    seeds: int

    @property
    def key(self) -> str:
        """The name of its stages: ``train@ewt-bilstm``."""
        return f"{self.task}-{self.rnn}"


def read_grids(conf: Path) -> dict[str, list[PlannedRun]]:
    """By report, in the file's order, the planned runs.

    Raises:
        ValueError: for a bad name, block or value, or a run that two grids have; one line an error, which names the file.
    """
    file = conf / "grid.yaml"
    contents = read_yaml(file)
    if not isinstance(contents, Mapping) or MAIN not in contents:
        raise ValueError(f"{file} must have grids by name, and among them {MAIN!r}, which plain `dvc repro` makes")
    known = {group: [*files_by_name(conf / group)] for group in ("task", "rnn", "trainer")}
    grids = {str(name): _read_grid(file, str(name), blocks, known) for name, blocks in contents.items()}
    owners: dict[str, str] = {}
    for name, runs in grids.items():
        for run in runs:
            if owners.setdefault(run.key, name) != name or runs.count(run) > 1:
                both = f"grids {owners[run.key]} and {name}" if owners[run.key] != name else f"grid {name}, twice"
                raise ValueError(f"{file}: run {run.key} is in {both}: a run belongs to one grid")
    return grids


def _read_grid(file: Path, name: str, blocks: Any, known: Mapping[str, Sequence[str]]) -> list[PlannedRun]:
    if not re.fullmatch(r"\w+", name) or name in RESERVED:
        raise ValueError(f"{file}: a grid's name must be letters, digits and _, and none of {RESERVED}, not {name!r}")
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, Mapping) for block in blocks):
        raise ValueError(f"{file}: grid {name} must be a list of blocks {{task: [...], rnn: [...], trainer: cpu, seeds: 3}}")
    runs = []
    for block in blocks:
        try:
            grid = validate(Grid, block)
        except ValueError as error:
            raise ValueError("\n".join(f"{file}: grid {name}: {line}" for line in str(error).splitlines())) from None
        for group, chosen in {"task": grid.task, "rnn": grid.rnn, "trainer": [grid.trainer]}.items():
            if unknown := [each for each in chosen if each not in known[group]]:
                raise ValueError(f"{file}: grid {name}: {named(group, unknown[0], known[group])}")
        runs += [PlannedRun(name, task, rnn, grid.trainer, grid.seeds) for task, rnn in product(grid.task, grid.rnn)]
    return runs


def usual_trainer(conf: Path, experiment: Experiment) -> str:
    """The trainer of the grid that has the experiment's task and architecture; that of ``config.yaml`` where none has."""
    planned = {run.key: run.trainer for runs in read_grids(conf).values() for run in runs}
    return planned.get(f"{experiment.task_name}-{experiment.rnn_name}", DEFAULT_TRAINER)


def file_of(report: str) -> Path:
    """The file of DVC whose stages make the report."""
    return MAIN_FILE if report == MAIN else HUB_FILE


def planned_runs(conf: Path, names: Sequence[str]) -> list[PlannedRun]:
    """The runs of the grids ``names``.

    Raises:
        ValueError: for a name that is not there.
    """
    grids = read_grids(conf)
    for name in names:
        if name not in grids:
            raise ValueError(named("grid", name, sorted(grids)))
    return [run for name in names for run in grids[name]]


def planned_files(runs: Sequence[PlannedRun]) -> list[str]:
    """The files that the stage ``settings`` writes for ``runs``: one a corpus, a run and a report."""
    names = [f"corpora/{run.task}" for run in runs] + [f"runs/{run.key}" for run in runs]
    names += [f"reports/{run.report}" for run in runs]
    return [f"plan/{name}.json" for name in dict.fromkeys(names)]
