"""Run folders, ``runs/TASK/RNN/SEED/``, read into the values that tables and figures are made of.

A run is finished when its folder holds training.json, curves.csv and metrics.json, and the metric that judges it is a number;
another metric may be null: there was nothing to measure it on.
"""

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.runs.computed import computed_in
from pipelines.settings.legacy import modern
from rnn_lightning.checks import shown
from rnn_lightning.files import DamagedError, check_sums, read_json
from rnn_lightning.items.folders import no_run

Curve = list[tuple[int, float]]
"""Step and value of each validation."""
OPTIONAL = ("name", "curves", "versions", "layers", "averaged_steps", "partners")
"""Fields that a stored run need not have."""
READ = ("training.json", "metrics.json", "curves.csv")
"""The files of a run that become values."""
TEXTS = ("rnn", "label", "unit", "hardware", "precision", "commit", "data", "command")
NUMBERS = ("seed", "parameters", "steps", "planned_steps", "seconds", "units_per_second", "peak_memory_mb", "threads")
POINTS = 50
"""How many points of a curve are stored at most."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One network that was trained and tested: what it scored, what it cost, and what decided it.

    ``seconds`` is the training's wall time, ``data`` a sha256, ``config`` its settings by today's keys, ``command`` what makes
    it again. A run of other settings than those of the files has a ``name``, which is part of its folder's. A stored run may
    have ``curves``: by metric, [step, value] at each validation, thinned. ``versions`` are of what computed it, ``layers`` the
    types that its layers computed in, where that was measured; ``averaged_steps`` are those whose weights its own average.
    ``partners`` are the runs that its test searched with, see `pipelines.runs.partners`; parameters and seconds are then
    those of all.
    """

    rnn: str
    label: str
    seed: int
    metrics: dict[str, float]
    parameters: int
    steps: int
    planned_steps: int
    seconds: float
    unit: str
    units_per_second: float
    peak_memory_mb: float
    hardware: str
    threads: int
    precision: str
    commit: str
    data: str
    command: str
    config: dict[str, Any]
    name: str = ""
    curves: dict[str, Curve] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    averaged_steps: int = 0
    partners: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Run":
        """A run from plain values, of which it takes what it names, without the metrics that could not be measured (null, NaN).

        Raises:
            ValueError: if one is missing, or the metric that judges the run is no number.
        """
        names = [one.name for one in fields(cls)]
        lacking = [name for name in names if name not in values and name not in OPTIONAL]
        if lacking:
            raise ValueError(f"lacks {', '.join(lacking)}")
        check_types(values)
        config = modern(values["config"])
        measured = {name: value for name, value in values["metrics"].items() if value is not None and math.isfinite(value)}
        broken = {name: value for name, value in values["metrics"].items() if name not in measured}
        if not measured or config.get("task", {}).get("metric", {}).get("name") in broken:
            raise ValueError(", ".join(f"{name} is {value}" for name, value in broken.items()) or "has no metrics")
        known: dict[str, Any] = {name: values[name] for name in names if name in values}
        return cls(**known | {"config": config, "metrics": measured})

    def plain(self) -> dict[str, Any]:
        """Plain values, from which `of` makes the run again."""
        return {name: value for name, value in asdict(self).items() if value or name not in OPTIONAL}

    @property
    def computed_in(self) -> str:
        """What the parts of its system computed in, in a line; empty where that was not measured."""
        return computed_in(self.layers)

    @property
    def averaging(self) -> str:
        """What its weights are an average of: ``ema (decay 0.99) of 400 steps``; empty where they are those of one step."""
        settings = dict(self.config.get("trainer", {}).get("averaging") or {})
        if not settings:
            return ""
        kind = settings.pop("kind")
        more = ", ".join(f"{name} {value}" for name, value in settings.items())
        return f"{kind}{f' ({more})' if more else ''} of {self.averaged_steps:,} steps"

    @property
    def folder_name(self) -> str:
        """Its architecture, with its name where it has one: the folder of its seeds."""
        return f"{self.rnn}-{self.name}" if self.name else self.rnn


def check_types(values: Mapping[str, Any]) -> None:
    """Refuse a run whose values are of other types than stages write: numbers, texts, and objects of them.

    Raises:
        ValueError: naming the first that is.
    """
    kinds = {"metrics": dict, "config": dict, **dict.fromkeys(TEXTS, str), **dict.fromkeys(NUMBERS, int | float)}
    for name, kind in kinds.items():
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise ValueError(f"{name} is {shown(values[name])}, which no stage writes")
    partners = values.get("partners", [])
    if not isinstance(partners, list) or not all(isinstance(each, dict) and "role" in each for each in partners):
        raise ValueError(f"partners is {shown(partners)}, which no stage writes")
    for name, value in values["metrics"].items():
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"the metric {name} is {shown(value)}, which is no number")


class Missing(NamedTuple):
    """A run that no table can contain, and why."""

    task: str
    rnn: str
    seed: str
    reason: str


class Expected(NamedTuple):
    """A run that was planned."""

    task: str
    rnn: str
    seed: int


def folder_of(runs: Path, task: str, rnn: str, seed: int | str) -> Path:
    return runs / task / rnn / str(seed)


def read_run(folder: Path, *, with_sums: bool = True) -> Run:
    """The finished run of ``folder``; ``with_sums`` its files but the checkpoint are compared with their SHA-256.

    Raises:
        ValueError: if it is not finished, or damaged; the message is the reason.
    """
    if not folder.is_dir():
        raise ValueError("was not started")
    for name, meaning in {"training.json": "training did not finish", "metrics.json": "was not evaluated"}.items():
        if not (folder / name).exists():
            raise ValueError(f"{meaning}: no {name}")
    if not (folder / "curves.csv").exists():
        raise ValueError("has no curves.csv")
    if with_sums:
        again = "evaluate the run again"
        check_sums(folder, READ, again=again)
        check_sums(folder, besides=["model.ckpt", *READ], again=again)
    run = Run.of(read_json(folder / "training.json") | {"metrics": read_json(folder / "metrics.json")})
    if (run.folder_name, str(run.seed)) != folder.parts[-2:]:
        raise ValueError(f"is a copy of {run.folder_name}/{run.seed}: a run counts in its own folder alone")
    return run


def given_run(folder: Path) -> Run:
    """The finished run of the ``folder`` that a command is given.

    Raises:
        ValueError: if there is none; says what the folder is, and what to do.
    """
    if not folder.is_dir() or not all((folder / name).exists() for name in READ):
        raise ValueError(no_run(folder))
    try:
        return read_run(folder)
    except DamagedError:
        raise
    except ValueError as error:
        raise ValueError(f"{folder} {error}: give the folder of an evaluated run, such as runs/dates/lstm/1") from None


def read_runs(runs: Path, task: str, expected: Sequence[Expected] = ()) -> tuple[list[Run], list[Missing]]:
    """All runs of a task, by architecture and seed, and those that should be there and are not."""
    planned = {(run.rnn, str(run.seed)) for run in expected if run.task == task}
    begun = {folder.parts[-2:] for folder in (runs / task).glob("*/*") if folder.is_dir() and folder.name[0] != "."}
    finished, missing = [], []
    for rnn, seed in sorted(planned | begun):
        try:
            run = read_run(folder_of(runs, task, rnn, seed))
            if (own := run.config.get("task_name", task)) != task:
                raise ValueError(f"is of the task {own}: a run counts in the folder of its own task alone")
            finished.append(run)
        except ValueError as error:
            missing.append(Missing(task, rnn, seed, str(error)))
    return finished, missing


def tell_missing(missing: Sequence[Missing], done: str) -> None:
    """Say on standard error of each run why it was not ``done``."""
    for run in missing:
        print(f"{run.task}/{run.rnn}/{run.seed} is not {done}: {run.reason}", file=sys.stderr)


def read_points(folder: Path) -> list[tuple[str, int, float]]:
    """All logged values of a run: metric, step, value.

    Raises:
        ValueError: where its table is no table of curves.
    """
    file = folder / "curves.csv"
    with file.open(newline="") as lines:
        try:
            return [(line["metric"], int(line["step"]), float(line["value"])) for line in csv.DictReader(lines)]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} is no table of curves: {error!r}; evaluate the run again") from None


def read_curves(folder: Path, metrics: Sequence[str]) -> dict[str, Curve]:
    """By metric, the points of a run's curves, of which there are at most `POINTS`: the first, the last, and some between.

    Metrics that the run did not log are left out.
    """
    logged: dict[str, Curve] = {metric: [] for metric in metrics}
    for metric, step, value in read_points(folder):
        if metric in logged:
            logged[metric].append((step, float(f"{value:.6g}")))
    return {metric: thinned(curve) for metric, curve in logged.items() if curve}


def thinned(curve: Curve, points: int = POINTS) -> Curve:
    """At most ``points`` of a curve's points, evenly spread, the first and the last among them."""
    if len(curve) <= points:
        return curve
    return [curve[round(number * (len(curve) - 1) / (points - 1))] for number in range(points)]
