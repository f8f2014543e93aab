"""The settings of an experiment: what each key means, which values are allowed, and the paths that follow from them."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_serializer, model_validator

from pipelines.settings.base import CorpusSpec, DataSpec, ModelSpec, Names, Settings
from pipelines.settings.contents import with_content
from pipelines.settings.trainer import Trainer

DESCRIPTIVE_KEYS = ("title", "description", "references", "unit")
"""Keys of a task that decide no number."""

NAMES = "1 to 64 letters, digits, dots, _ and -, the first a letter or a digit"
"""What the name of a run's folder may be, which then stands in place of a hash."""


class Metric(Settings):
    """The test metric that a task is judged by, and whether less of it is better (``min``) or more (``max``).

    ``search`` are keywords of the decoder where the test split is decoded by a search; a file that they name has its SHA-256
    beside it.
    """

    name: Annotated[str, Field(pattern=r"^test/\S+$", description="test/ and the name of a metric, such as test/loss")]
    mode: Literal["min", "max"]
    search: dict[str, Any] = Field(default_factory=dict)

    @field_validator("search")
    @classmethod
    def _has_content(cls, search: dict[str, Any]) -> dict[str, Any]:
        return with_content(search)

    @property
    def monitor(self) -> str:
        """The metric's name on the validation split: ``val/loss`` for ``test/loss``."""
        return f"val/{self.name.removeprefix('test/')}"

    @property
    def direction(self) -> str:
        """``mode`` in words that a sentence can hold."""
        return "minimize" if self.mode == "min" else "maximize"

    def sort_key(self, value: float) -> float:
        """Sorts better values first."""
        return value if self.mode == "min" else -value


class Training(Settings):
    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    clip: NonNegativeFloat
    validate_every: PositiveInt | None = None
    patience: PositiveInt | None = None  # validations without a better one after which the training ends


class Variant(Settings):
    """The task that this one equals in all but one respect, and the name of that respect."""

    of: str
    name: str


class Reference(Settings):
    """A value of the task's metric that no recurrent network was needed for: a floor, a variance, a published result.

    It is given as a ``value``, or as the key of one among the references of the data's ``card``.
    """

    name: str
    value: float | None = None
    card: str | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _has_one_value(self) -> "Reference":
        if (self.value is None) == (self.card is None):
            raise ValueError(f"reference {self.name!r} needs either a value or the key of one in the data's card")
        return self

    @model_serializer
    def _given(self) -> dict[str, Any]:
        return {key: value for key, value in self if value is not None}


class TaskHeader(Settings):
    """What a report says of a task; no number of a training depends on it but for the metric."""

    title: str
    description: str
    variant: Variant | None = None
    metric: Metric
    references: list[Reference] = Field(default_factory=list)
    unit: Literal["tokens", "characters", "frames", "sequences"]


class Task(TaskHeader):
    """``conf/task/NAME.yaml``: corpus, batches, model and training."""

    corpus: CorpusSpec
    data: DataSpec
    model: ModelSpec
    rnn: dict[str, Any] = Field(default_factory=dict)
    parameters: PositiveInt | None = None
    training: Training


class Grid(Settings):
    """One block of ``conf/grid.yaml``: every task with every architecture, each for seeds 1 to ``seeds``."""

    task: list[str] = Field(min_length=1)
    rnn: list[str] = Field(min_length=1)
    trainer: str = "cpu"
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 1


class Experiment(Settings):
    """Everything that decides a run, and the names it goes by."""

    task_name: str
    rnn_name: str
    trained_name: str = ""
    run_name: str = ""
    task: Task
    rnn: dict[str, Any]
    trainer: Trainer
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None
    seeds: Annotated[int, Field(ge=1, le=10_000)]
    workers: Annotated[int, Field(ge=1, le=1_000)]
    engine: Literal["local", "ray"] = "local"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")] | None = Field(None, description=NAMES)
    tuning: dict[str, Any] | None = None  # of ``conf/tuned``: the sweep that found these values, and what it varied
    init_from: str | None = Field(None, description="the folder of a run, or hub:OWNER/NAME@REVISION")
    init_from_partial: bool = False
    freeze: Names = Field(default_factory=list)
    command_line: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_one_size(self) -> "Experiment":
        networks = {"rnn": self.rnn, "task.rnn": self.task.rnn}
        sizes = [f"{key}.hidden_size" for key, rnn in networks.items() if rnn.get("hidden_size") is not None]
        if sizes and self.task.parameters is not None:
            advice = f"set task.parameters=null, or leave {sizes[0]} out"
            raise ValueError(f"task.parameters is a budget that decides the hidden size, which {sizes[0]} gives too: {advice}")
        if not sizes and self.task.parameters is None:
            raise ValueError("either task.parameters (a budget) or task.rnn.hidden_size must be given")
        if self.init_from_partial and self.init_from is None:
            raise ValueError("init_from_partial has no effect without init_from: give that too, or leave it out")
        if self.name is not None and re.search(r"-[0-9a-f]{8}$", self.name):
            raise ValueError(f"name must not end in eight hexadecimal digits, as runs of other settings do, not {self.name!r}")
        if self.trainer.gradient_clip_algorithm != "norm" and not self.task.training.clip:
            raise ValueError(
                "trainer.gradient_clip_algorithm has no effect with task.training.clip=0: set a bound, or leave it out"
            )
        return self

    def all_seeds(self) -> list[int]:
        """The one seed that is asked for, or the first ``seeds``."""
        return list(range(1, self.seeds + 1)) if self.seed is None else [self.seed]

    def raw(self) -> Path:
        return Path("data/raw") / self.task_name

    def processed(self) -> Path:
        return Path("data/processed") / self.task_name

    def trained(self, seed: int) -> Path:
        """Where a finished training lies."""
        return Path("trained") / self.task_name / (self.trained_name or self.rnn_name) / str(seed)

    def run(self, seed: int) -> Path:
        """Where it lies once it is evaluated."""
        return Path("runs") / self.task_name / (self.run_name or self.rnn_name) / str(seed)

    def plain(self, seed: int) -> dict[str, Any]:
        """What decides the run of one seed, as plain values."""
        names = ("seeds", "workers", "engine", "command_line", "trained_name", "run_name", "name")
        aside: dict[str, Any] = {**dict.fromkeys(names, True), "task": {"variant"}, "trainer": {"loggers", "memory_limit_gb"}}
        aside |= {"tuning": {"sha256"} if self.tuning else True}
        aside |= {name: True for name in ("init_from", "init_from_partial", "freeze") if not getattr(self, name)}
        values = self.model_dump(mode="json", by_alias=True, exclude=aside)
        return {**values, "seed": seed}

    def decisive(self, *, searched: bool) -> dict[str, Any]:
        """What decides the numbers of a run of any seed; those of its training alone unless its test is ``searched``."""
        values = self.plain(0)
        for name in ("seed", "tuning", "task_name", "rnn_name"):
            values.pop(name, None)
        for name in DESCRIPTIVE_KEYS:
            values["task"].pop(name)
        values["trainer"].pop("checkpoint_seconds")
        if not searched:
            values["task"]["metric"].pop("search")
        return values

    def overrides(self, seed: int) -> list[str]:
        """The command line that makes the run of one seed."""
        kept = [word for word in self.command_line if not word.startswith(("seed=", "seeds=", "workers=", "engine="))]
        return [*kept, f"seed={seed}"]
