"""What a sweep found, how well and with what budget: kept in ``conf/tuned``, said by the runs that take it up."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from pipelines.settings.schema import Experiment, Settings
from pipelines.settings.seals import KEY, check_keys, check_seal

AGAIN = "take it from git again, or let the sweep write it with force=true"
NONE = "none"
"""The file that has nothing."""
TRIED = ("sweep", "trials", "pruned", "best", "varied")
"""What a tuned file says of its sweep, besides the `Finding`."""


class Budget(Settings):
    """What each trial was given: epochs, and the number of parameters if the task states one."""

    epochs: int
    parameters: int | None = None


class Finding(Settings):
    """The best trial of a sweep: its value of the metric on validation, and what a better one must have in common with it."""

    metric: str
    mode: str
    value: float
    data: str
    budget: Budget
    overrides: list[str] = Field(default_factory=list)

    def why_not(self, known: Mapping[str, Any] | None) -> str:
        """Why this does not take the place of ``known``, an earlier finding as plain values; empty if it does."""
        if known is None:
            return ""
        here = self.model_dump(mode="json")
        alike = ("metric", "mode", "data", "budget")
        if missing := [name for name in (*alike, "value") if name not in known]:
            return f"what is there does not say its {', '.join(missing)}"
        if other := [f"{name} {_short(known[name])}, not {_short(here[name])}" for name in alike if known[name] != here[name]]:
            return f"what is there was found with {'; '.join(other)}"
        better = self.value < known["value"] if self.mode == "min" else self.value > known["value"]
        return "" if better else f"its {self.metric} is {known['value']:.4g}, and {self.value:.4g} is not better"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={each}" for key, each in value.items())
    return str(value)[:12]


def budget_of(experiment: Experiment) -> Budget:
    return Budget(epochs=experiment.task.training.epochs, parameters=experiment.task.parameters)


def check_tuned(folders: Iterable[Path], name: str, tuning: Mapping[str, Any] | None) -> None:
    """Check ``tuned/NAME.yaml``, of the first folder that has it, against the SHA-256 that a sweep wrote into it.

    Raises:
        ValueError: where it has changed since, or does not say what it is by the keys ``tuning`` that a sweep writes.
    """
    files = [folder / "tuned" / f"{name}.yaml" for folder in folders]
    file = next((file for file in files if file.exists()), None)
    if file is None or name == NONE:
        return
    sealed = check_seal(file, again=AGAIN)
    if not tuning:
        raise ValueError(f"{file} must say what it is: give it `tuning: {{sweep: by hand, varied: [KEY, ...]}}`")
    check_keys(file, tuning, [*TRIED, *Finding.model_fields], sealed=sealed, again=AGAIN)


def said_of_tuned(experiment: Experiment) -> list[str]:
    """What a run says that takes tuned values up: a line with file, values and budget, and a warning if its own is another."""
    tuning = experiment.tuning
    if not tuning:
        return []
    plain = experiment.plain(experiment.all_seeds()[0])
    values = ", ".join(f"{key}={_value(plain, key)}" for key in tuning.get("varied", []))
    chosen = [given.removeprefix("tuned=") for given in experiment.command_line if given.startswith("tuned=")]
    file = f"conf/tuned/{chosen[-1] if chosen else f'{experiment.task_name}-{experiment.rnn_name}'}.yaml"
    known = tuning.get("budget")
    found = f"found by sweep {tuning.get('sweep')} with {_short(known) if known else 'a budget that the file does not say'}"
    lines = [f"takes up {file}: {values}; {found} (tuned=none leaves them out)"]
    if KEY not in tuning:
        lines.append(f"warning: {file} states no SHA-256: its values may have been changed by hand since the sweep found them")
    own = budget_of(experiment).model_dump(mode="json")
    if known and own != known:
        lines.append(f"warning: this run has {_short(own)}, and its tuned values were found with {_short(known)}")
    return lines


def _value(plain: Mapping[str, Any], key: str) -> Any:
    value: Any = plain
    for part in key.split("."):
        value = value[part] if isinstance(value, Mapping) and part in value else "?"
    return value
