"""Configurations of runs: which are the same but for the seed, and what tells others apart."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.runs.folders import Run
from pipelines.settings.legacy import modern
from pipelines.settings.nested import flatten
from pipelines.settings.schema import DESCRIPTIVE_KEYS, Metric, Settings, Trainer, Training

SETTINGS: dict[str, type[Settings]] = {"task.metric": Metric, "task.training": Training, "trainer": Trainer}
ENSEMBLE = "task.metric.search.ensemble"
SHOWN, LONGEST = 4, 24
"""Values that a label names, and how long one of them may be."""


def identity(config: Mapping[str, Any]) -> dict[str, str]:
    """What decides the numbers of a run besides its seed, by flat names; missing keys take today's defaults."""
    values = {key: str(value) for key, value in sorted(flatten(modern(config)).items())}
    aside = {"seed", *(f"task.{name}" for name in DESCRIPTIVE_KEYS)}
    return _defaults() | {key: value for key, value in values.items() if key not in aside}


def _defaults() -> dict[str, str]:
    defaults: dict[str, Any] = {}
    for path, kind in SETTINGS.items():
        defaults |= {
            f"{path}.{name}": field.get_default(call_default_factory=True)
            for name, field in kind.model_fields.items()
            if not field.is_required()
        }
    return {key: str(value) for key, value in defaults.items() if value != {}}


def distinguishing(run: Run, runs: Sequence[Run], shown: int | None = SHOWN) -> list[str]:
    """The values that tell a run from others of its architecture: ``lr 0.01``, ``no dropout``, ``data 4f1c09``."""
    own, others = identity(run.config), [identity(other.config) for other in runs if other.rnn == run.rnn]
    keys = [key for key in sorted({*own, *itertools.chain(*others)}) if _differs(key, own, others)]
    names = {key: _short(key, keys) for key in keys}
    values = [f"{names[key]} {_value(key, own[key], shown and LONGEST)}" if key in own else f"no {names[key]}" for key in keys]
    more = [f"and {len(values) - shown} more"] if shown is not None and len(values) > shown else []
    data = [f"data {run.data[:6]}"] if any(other.data != run.data for other in runs if other.rnn == run.rnn) else []
    return values[:shown] + more + data


def _value(key: str, value: str, longest: int | None) -> str:
    """A value as a label has it: the runs of an ensemble by architecture and seed, another one cut off where it is long."""
    if key == ENSEMBLE:
        return re.sub(r"runs/[^/]+/", "", value.translate(str.maketrans("", "", "[]'\"")))
    return value if longest is None or len(value) <= longest else f"{value[: longest - 1]}…"


def _differs(key: str, own: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> bool:
    return any(other.get(key) != own.get(key) for other in others)


def _short(key: str, keys: Sequence[str]) -> str:
    """The last name of a key; with the one before it where another of ``keys`` ends in the same."""
    names = key.split(".")
    alone = sum(other.split(".")[-1] == names[-1] for other in keys) == 1
    return ".".join(names[-1:] if alone else names[-2:])
