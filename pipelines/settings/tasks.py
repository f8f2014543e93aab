"""The view of a task that reports and the dashboard have: its title, its metric, and what a number is to be held against."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.settings.base import validate
from pipelines.settings.composition import composed_task
from pipelines.settings.places import files_by_name
from pipelines.settings.schema import Experiment, Metric, TaskHeader, Variant
from rnn_lightning.files import check_sums, read_json


class Reference(NamedTuple):
    """A value of the task's metric to hold results against, and where it comes from."""

    name: str
    value: float
    source: str


@dataclass(frozen=True)
class Task:
    """A task by name; its references are those whose value is known."""

    name: str
    title: str
    description: str
    metric: Metric
    references: Sequence[Reference] = ()
    variant: Variant | None = None
    unit: str = "units"


def view(name: str, header: TaskHeader, card: Mapping[str, Any] | None = None) -> Task:
    """The task ``name`` as reports show it; a reference to a value of the data's ``card`` is left out without the data."""
    measured = (card or {}).get("references") or {}
    references = []
    for reference in header.references:
        value = measured.get(reference.card) if reference.value is None else reference.value
        if value is not None:
            references.append(Reference(reference.name, float(value), reference.source or "the data's card"))
    return Task(name, header.title, header.description, header.metric, tuple(references), header.variant, header.unit)


def task_of(experiment: Experiment, card: Mapping[str, Any] | None = None) -> Task:
    """The task of an experiment, with what its command line sets."""
    return view(experiment.task_name, experiment.task, card)


def read_task(conf: Path, name: str, card: Mapping[str, Any] | None = None) -> Task:
    """The task of ``conf/task/NAME.yaml`` and of the files that it inherits from.

    Raises:
        ValueError: if there is no such task, or its file does not say what it is judged by.
    """
    return view(name, _header(composed_task(conf, name), name), card)


def task_of_runs(conf: Path, name: str, configs: Iterable[Mapping[str, Any]], card: Mapping[str, Any] | None = None) -> Task:
    """The task as most of its runs were configured; as ``conf`` has it today where no run says so.

    Which task it is a variant of is no part of a run's configuration: that is always as in ``conf``, if it has the task.
    """
    known = name in task_names(conf)
    variant = read_task(conf, name).variant if known else None
    headers = [config["task"] for config in configs if "metric" in config.get("task", {})]
    if not headers:
        return read_task(conf, name, card)
    texts = [validate(TaskHeader, _fields(header)).model_dump_json() for header in headers]
    (most_common, _), *_ = Counter(texts).most_common(1)
    header = TaskHeader.model_validate_json(most_common)
    return view(name, header.model_copy(update={"variant": variant}), card)


def task_names(conf: Path) -> list[str]:
    """The tasks of ``conf``, by name."""
    return [*files_by_name(conf / "task")]


def variants_of(conf: Path, name: str) -> list[str]:
    """The tasks that are variants of another, by name."""
    found = []
    for task, file in files_by_name(conf / "task").items():
        if "variant:" in file.read_text(encoding="utf-8"):
            variant = read_task(conf, task).variant
            found += [task] if variant is not None and variant.of == name else []
    return found


def read_card(data: Path, task: str) -> dict[str, Any]:
    """The card of the task's data, empty where the data are not on this machine."""
    file = data / "processed" / task / "card.json"
    if not file.exists():
        return {}
    check_sums(file.parent, [file.name], again=f"`python -m pipelines.preprocess task={task}` again")
    return read_json(file)


def _header(values: Mapping[str, Any], name: str) -> TaskHeader:
    try:
        return validate(TaskHeader, _fields(values))
    except ValueError as error:
        raise ValueError("\n".join(f"task {name}: {line}" for line in str(error).splitlines())) from None


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a header has; corpus, model and training are for those who train."""
    return {key: value for key, value in values.items() if key in TaskHeader.model_fields}
