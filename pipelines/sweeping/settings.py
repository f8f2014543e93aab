"""The settings of a sweep: its search space, its objectives, its sampler and its pruner."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, NonNegativeInt, model_validator

from pipelines.settings.base import validate
from pipelines.settings.compose import CONF, compose
from pipelines.settings.keywords import named
from pipelines.settings.overrides import check_once
from pipelines.settings.places import files_by_name
from pipelines.settings.schema import Settings
from pipelines.settings.yaml_files import read_yaml
from pipelines.training.keywords import check_system

Scalar = bool | int | float | str | None
LARGEST_GRID = 100_000
STORAGES = "the URL of a database, such as sqlite:////home/me/sweeps.db or postgresql://me@host/sweeps"


class Parameter(Settings):
    """The values of one key: ``choices``, or all from ``low`` to ``high``; whole numbers where these are, and ``step``."""

    choices: list[Scalar] | None = None
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> "Parameter":
        ranged = self.low is not None and self.high is not None
        if (self.choices is None) == (not ranged) or (self.choices is not None and (self.step is not None or self.log)):
            raise ValueError("give either choices, or low and high (and step or log)")
        if self.choices is not None and not self.choices:
            raise ValueError("choices are empty")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low must be below high, not {self.low} and {self.high}")
        if self.log and (self.step is not None or (self.low or 0) <= 0):
            raise ValueError("log needs a low above 0, and goes with no step")
        return self

    def distribution(self) -> Any:
        """Optuna's form of it."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choices is not None:
            return CategoricalDistribution(self.choices)
        assert self.low is not None and self.high is not None
        whole = all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))
        if whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(float(self.low), float(self.high), log=self.log, step=self.step)

    def values(self) -> list[Scalar] | None:
        """All values; ``None`` where they cannot be counted."""
        if self.choices is not None:
            return self.choices
        space, count = self.distribution(), self.count()
        return None if count is None else [space.low + place * space.step for place in range(count)]

    def count(self) -> int | None:
        """How many values there are; ``None`` where they cannot be counted."""
        if self.choices is not None:
            return len(self.choices)
        space = self.distribution()
        return round((space.high - space.low) / space.step) + 1 if space.step and not space.log else None

    def ends(self) -> list[Scalar]:
        """Every choice, or both ends of the range: what a model must be able to take."""
        return self.choices if self.choices is not None else [self.low, self.high]


class Sampler(Settings):
    """How the next values are chosen: by Optuna's sampler of that name; ``grid`` goes through all of them once."""

    name: Literal["tpe", "gp", "cmaes", "random", "grid"] = "tpe"
    seed: int = 1


class Pruner(Settings):
    """When a trial is given up: worse than the ``median`` of others at the same step, or behind in successive ``halving``.

    ``startup_trials`` are never given up, none is before it made ``warmup_steps`` steps.
    """

    name: Literal["none", "median", "halving"] = "median"
    startup_trials: NonNegativeInt = 5
    warmup_steps: NonNegativeInt = 0


class Sweep(Settings):
    """``conf/sweep/NAME.yaml``."""

    space: dict[str, Parameter] = Field(min_length=1)
    objectives: list[Literal["quality", "parameters", "seconds"]] = Field(default_factory=lambda: ["quality"])
    sampler: Sampler = Field(default_factory=Sampler)
    pruner: Pruner = Field(default_factory=Pruner)

    @model_validator(mode="after")
    def _prunes_one_objective(self) -> "Sweep":
        if len(set(self.objectives)) != len(self.objectives) or self.objectives[:1] != ["quality"]:
            raise ValueError(f"objectives must begin with quality, and name each once, not {self.objectives}")
        if len(self.objectives) > 1 and self.pruner.name != "none":
            raise ValueError("trials are pruned by one objective only: with several, set pruner.name to none")
        return self

    @model_validator(mode="after")
    def _has_a_grid(self) -> "Sweep":
        if self.sampler.name != "grid":
            return self
        counts = {key: parameter.count() for key, parameter in self.space.items()}
        if endless := [key for key, count in counts.items() if count is None]:
            raise ValueError(f"a grid needs choices or steps, which {endless[0]} has not")
        if (points := math.prod(count or 1 for count in counts.values())) > LARGEST_GRID:
            raise ValueError(
                f"a grid has at most {LARGEST_GRID:,} points, not {points:,}: take fewer values, or sampler.name tpe"
            )
        return self

    def grid(self) -> list[dict[str, Scalar]]:
        """Every combination of values, where these can be counted."""
        values = [parameter.values() or [] for parameter in self.space.values()]
        return [dict(zip(self.space, row, strict=True)) for row in itertools.product(*values)]


class SweepArguments(Settings):
    """What the command line asks of a sweep, besides the experiment."""

    model_config = ConfigDict(strict=False)  # a command line has words only

    sweep: str
    trials: Annotated[int, Field(ge=1, le=1_000_000)]
    workers: Annotated[int, Field(ge=1, le=1_000)] = 1
    storage: Annotated[str, Field(pattern=r"^\w[\w+]*://.+$")] | None = Field(None, description=STORAGES)
    engine: Literal["local", "ray"] = "local"
    force: bool = False
    overrides: list[str] = Field(default_factory=list)


def read_arguments(arguments: list[str]) -> SweepArguments:
    """What of a command line is of the sweep (the fields of `SweepArguments`); all else is for the experiment.

    Raises:
        ValueError: for a number that is none, or nothing said of sweep or trials.
    """
    check_once(arguments)
    own: dict[str, Any] = {"overrides": []}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in ("sweep", "trials", "workers", "storage", "engine", "force"):
            own[name] = value
        else:
            own["overrides"].append(argument)
    if "sweep" in own:
        _file_of(own["sweep"])
    return validate(SweepArguments, own)


def read_sweep(name: str) -> Sweep:
    """The sweep of ``conf/sweep/NAME.yaml``.

    Raises:
        ValueError: if there is none, or it says what is not allowed: a line each, which names the file.
    """
    file = _file_of(name)
    try:
        values = read_yaml(file)
        return validate(Sweep, values if isinstance(values, Mapping) else {})
    except ValueError as error:
        raise ValueError(
            "\n".join(f"{_shown(file)}: {line.removeprefix(f'{file} ')}" for line in str(error).splitlines())
        ) from None


def _file_of(name: str) -> Path:
    file = CONF / "sweep" / f"{name}.yaml"
    if not file.exists():
        raise ValueError(named("sweep", name, [*files_by_name(file.parent)]))
    return file


def check_space(sweep: Sweep, name: str, overrides: list[str]) -> None:
    """Refuse keys that the experiment does not have, and ends of ranges that it does not take.

    Raises:
        ValueError: naming the file, the key and the value.
    """
    given = {override.lstrip("+").partition("=")[0] for override in overrides}
    if both := sorted(given & sweep.space.keys()):
        raise ValueError(f"{both[0]} has no effect: {_shown(CONF / 'sweep' / name)}.yaml varies it; leave it out")
    check_system(compose(overrides))  # what is wrong without the sweep's values is not of the sweep's file
    for key, parameter in sweep.space.items():
        for value in parameter.ends():
            try:
                check_system(compose([*overrides, assigned(key, value)]))
            except ValueError as error:
                raise ValueError(f"{_shown(CONF / 'sweep' / name)}.yaml: space: {key}={value}: {error}") from None


def assigned(key: str, value: Scalar) -> str:
    """``key=value`` as Hydra's command line reads it."""
    if value is None or isinstance(value, bool):
        return f"{key}={'null' if value is None else str(value).lower()}"
    return f"{key}={value!r}"


def _shown(file: Path) -> str:
    return str(file.relative_to(CONF.parent))
