"""The settings of a sweep: its search space, its objectives, its sampler and its pruner."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from pipelines.settings.base import validate
from pipelines.settings.compose import CONF, compose
from pipelines.settings.keywords import named
from pipelines.settings.overrides import GROUPS
from pipelines.settings.places import files_by_name
from pipelines.settings.schema import Settings
from pipelines.settings.yaml_files import read_yaml
from pipelines.training.keywords import check_system
from rnn_lightning.checks import shown

Scalar = bool | int | float | str | None
LARGEST_GRID = 100_000
OF_SEED = "the best of several seeds is chance, not a better setting; seed=N on the command line is that of all trials"
OF_ORDER = "it changes no training"
FIXED = {**dict.fromkeys(("seed", "seeds"), OF_SEED), **dict.fromkeys(("workers", "engine", "name"), OF_ORDER)}
ONE = "a sweep is of one task and architecture with one trainer, which the command line chooses"
FIXED |= dict.fromkeys((*GROUPS, "conf", "rnn.cell", "task.rnn.cell"), ONE)
FIXED |= {"task.metric": "what trials are compared by is the same for all", "task.corpus": "trials train on the same data"}
"""Settings that no sweep varies, and why."""


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
        if len({(isinstance(choice, bool), choice) for choice in self.choices or ()}) < len(self.choices or ()):
            raise ValueError(f"choices must all be different, not {shown(self.choices)}")
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
    def _is_fair(self) -> "Sweep":
        names = [key.lstrip("+~") for key in self.space]
        for key, name in zip(self.space, names, strict=True):
            if names.count(name) > 1:
                raise ValueError(f"space has {name} twice: leave one out")
            if reason := FIXED.get(name) or FIXED.get(".".join(name.split(".")[:2])):
                raise ValueError(f"space.{key} cannot be varied: {reason}: leave it out")
        return self

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


def read_sweep(name: str) -> Sweep:
    """The sweep of ``conf/sweep/NAME.yaml``.

    Raises:
        ValueError: if there is none, or it says what is not allowed: a line each, which names the file.
    """
    file = _file_of(name)
    try:
        values = read_yaml(file)
        if not isinstance(values, Mapping):
            raise ValueError(f"a sweep must be {{space: {{KEY: {{choices: [a, b]}}, ...}}, ...}}, not {shown(values)}")
        return validate(Sweep, values)
    except ValueError as error:
        raise ValueError(
            "\n".join(f"{_shown(file)}: {line.removeprefix(f'{file} ')}" for line in str(error).splitlines())
        ) from None


def sweeps() -> list[str]:
    """The names of the files of ``conf/sweep``."""
    return [*files_by_name(CONF / "sweep")]


def _file_of(name: str) -> Path:
    if name not in (known := sweeps()):
        raise ValueError(named("sweep", name, known))
    return CONF / "sweep" / f"{name}.yaml"


def check_space(sweep: Sweep, name: str, overrides: list[str]) -> None:
    """Refuse keys that the experiment does not have, and ends of ranges that it does not take.

    Raises:
        ValueError: naming the file, the key and the value.
    """
    given = {override.lstrip("+~").partition("=")[0] for override in overrides}
    if both := sorted(given & {key.lstrip("+~") for key in sweep.space}):
        raise ValueError(f"{both[0]} has no effect: {_shown(CONF / 'sweep' / name)}.yaml varies it; leave it out")
    check_system(compose(overrides))  # what is wrong without the sweep's values is not of the sweep's file
    for key, parameter in sweep.space.items():
        trained = []
        for value in parameter.ends():
            try:
                check_system(experiment := compose([*overrides, assigned(key, value)]))
            except ValueError as error:
                raise ValueError(f"{_shown(CONF / 'sweep' / name)}.yaml: space: {key}={value}: {error}") from None
            trained.append(experiment.decisive(searched=False))
        if len(trained) > 1 and all(each == trained[0] for each in trained):
            raise ValueError(f"{_shown(CONF / 'sweep' / name)}.yaml: space.{key} changes no training: leave it out")


def assigned(key: str, value: Scalar) -> str:
    """``key=value`` as Hydra's command line reads it."""
    if value is None or isinstance(value, bool):
        return f"{key}={'null' if value is None else str(value).lower()}"
    return f"{key}={value!r}"


def _shown(file: Path) -> str:
    return str(file.relative_to(CONF.parent))
