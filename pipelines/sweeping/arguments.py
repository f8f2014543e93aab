"""What the command line asks of a sweep, besides the experiment."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.settings.base import NOT_SET, Settings, validate
from pipelines.settings.keywords import named, refuse, unknown
from pipelines.settings.overrides import GROUPS, check_once, parse
from pipelines.settings.schema import Experiment
from pipelines.sweeping.settings import sweeps

AS_WRITTEN = ("sweep", "storage", "engine")
"""Keys whose value is taken as it is written."""
OWN = (*AS_WRITTEN, "trials", "workers", "force")
STORAGES = "the URL of a database, such as sqlite:////home/me/sweeps.db or postgresql://me@host/sweeps"


class SweepArguments(Settings):
    """The keys of a sweep, and the overrides that are the experiment's."""

    sweep: str
    trials: Annotated[int, Field(ge=1, le=1_000_000)]
    workers: Annotated[int, Field(ge=1, le=1_000)] = 1
    storage: Annotated[str, Field(pattern=r"^\w[\w+]*://.+$")] | None = Field(None, description=STORAGES)
    engine: Literal["local", "ray"] = "local"
    force: bool = False
    overrides: list[str] = Field(default_factory=list)


def read_arguments(arguments: Sequence[str]) -> SweepArguments:
    """What of a command line is of the sweep; all else is for the experiment.

    Raises:
        ValueError: for a value that is not allowed, nothing said of sweep or trials, or a key that there is not; a line each.
    """
    check_once(arguments)
    own: dict[str, Any] = {"overrides": []}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in OWN:
            own[name] = value if name in AS_WRITTEN else parse(argument).value()
        else:
            own["overrides"].append(argument)
    bad = [*_bad_keys(own["overrides"])]
    if "sweep" in own and own["sweep"] not in (known := sweeps()):
        bad.append(named("sweep", own["sweep"], known))
    try:
        found = validate(SweepArguments, own)
    except ValueError as error:
        raise ValueError("\n".join([*bad, *str(error).splitlines()])) from None
    refuse(bad)
    return found


def _bad_keys(overrides: Sequence[str]) -> Iterator[str]:
    """A line for each key that neither a sweep nor an experiment has."""
    there = {*OWN, *GROUPS, "conf", *Experiment.model_fields}.difference(NOT_SET)
    for override in filter(lambda word: "=" in word, overrides):  # what is no KEY=VALUE is the experiment's to refuse
        key = override.lstrip("+~").partition("=")[0]
        first, _, rest = key.partition(".")
        if first == "sweep" and rest:
            yield f"{key} is a setting of conf/sweep/NAME.yaml: write it there, and give sweep=NAME"
        elif first in OWN:
            yield f"{override} is no setting: give {first}=VALUE"
        elif first not in (*there, *NOT_SET, "hydra"):
            yield unknown(first, there)
