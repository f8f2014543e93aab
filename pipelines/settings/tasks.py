"""What a report must know of a task: its name for people, what it is judged by, and what a number is to be held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from omegaconf import OmegaConf

from rnn_lightning.files import read_json

GOALS = ("minimise", "maximise")


class Reference(NamedTuple):
    """A value of the task's metric that no recurrent network was needed for: a floor, a variance, a published result."""

    name: str
    value: float
    source: str


class Variant(NamedTuple):
    """A task that is another one in all but one respect, ``name``, and whose runs belong in that one's table."""

    of: str
    name: str


@dataclass(frozen=True)
class Task:
    name: str
    title: str
    description: str
    metric: str
    goal: str
    references: Sequence[Reference] = ()
    variant: Variant | None = None
    unit: str = "units"

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise ValueError(f"goal of task {self.name} must be one of {GOALS}, not {self.goal!r}")

    @property
    def validation_metric(self) -> str:
        """The curve that foretells ``metric``: ``val/loss`` for ``test/loss``."""
        return f"val/{self.metric.split('/')[-1]}"

    def sort_key(self, value: float) -> float:
        """Sorts better values first."""
        return value if self.goal == "minimise" else -value


def read_task(conf: Path, name: str, card: dict[str, Any] | None = None) -> Task:
    """The task of ``conf/task/NAME.yaml``.

    A reference has a ``value``, or the key of one in the data's ``card``; without the data it is left out.

    Raises:
        ValueError: if there is no such task, or its file does not say what it is judged by.
    """
    file = conf / "task" / f"{name}.yaml"
    if not file.exists():
        known = sorted(each.stem for each in file.parent.glob("*.yaml"))
        raise ValueError(f"task must be one of {known}, not {name!r}")
    told = _contents(file)
    metric = told.get("metric") or {}
    if "name" not in metric or "goal" not in metric:
        raise ValueError(f"{file} must say `metric: {{name: ..., goal: minimise}}`")
    measured = (card or {}).get("references") or {}
    references = [_reference(each, measured) for each in told.get("references") or []]
    held = tuple(each for each in references if each is not None)
    variant = Variant(**told["variant"]) if told.get("variant") else None
    words = told.get("title", name), told.get("description", "")
    return Task(name, *words, metric["name"], metric["goal"], held, variant, told.get("unit", "units"))


def variants_of(conf: Path, name: str) -> list[str]:
    """The tasks that are variants of another, by name."""
    told = {file.stem: _contents(file).get("variant") or {} for file in (conf / "task").glob("*.yaml")}
    return sorted(each for each, variant in told.items() if variant.get("of") == name)


def _contents(file: Path) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(file)))


def _reference(told: dict[str, Any], measured: dict[str, float]) -> Reference | None:
    value = told["value"] if "value" in told else measured.get(told["card"])
    return None if value is None else Reference(told["name"], float(value), told.get("source", "the data's card"))


def read_card(data: Path, task: str) -> dict[str, Any]:
    """The card of the task's data, empty where the data are not on this machine."""
    file = data / "processed" / task / "card.json"
    return read_json(file) if file.exists() else {}
