"""Checked settings: plain values, classes of the package by name, and what is said of those that are refused."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from pipelines.settings.keywords import by_their_keys, unknown
from pipelines.settings.wording import refusal
from rnn_lightning.checks import shown
from rnn_lightning.registry import imported, packages

Checked = TypeVar("Checked", bound=BaseModel)
PACKAGE = "rnn_lightning"
OWN_CORPORA = "RNN_LIGHTNING_CORPORA"
"""The environment variable of the packages, separated by commas, that a corpus class may come from."""
NOT_ALLOWED = "not_allowed"
NOT_SET = ("task_name", "rnn_name", "trained_name", "run_name", "command_line", "tuning")
"""Fields of an experiment that no setting gives."""


class Settings(BaseModel):
    """Plain values that do not change; a key that none of the fields names is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _all_different(names: list[str]) -> list[str]:
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} is given twice: give each name once")
    return names


Names = Annotated[list[str], AfterValidator(_all_different)]
"""Names of which one twice would mean no more than once."""


class ClassSpec(BaseModel):
    """A class of the package by name, and the keywords it is built with; the class checks these itself."""

    model_config = ConfigDict(extra="allow", frozen=True)
    place: ClassVar[str | None] = None
    """The key that holds these settings on a command line, which errors name."""

    target: str = Field(
        alias="_target_", pattern=rf"^{PACKAGE}\.[\w.]+$", description=f"a class of {PACKAGE}, such as {PACKAGE}.PairModule"
    )

    def cls(self) -> Any:
        """The class itself.

        Raises:
            ValueError: where there is none of that name.
        """
        found = imported("_target_", self.target)
        if not isinstance(found, type):
            raise ValueError(f"_target_ {self.target!r} must be a class, not {shown(found)}")
        return found

    def build(self, **more: Any) -> Any:
        """An instance of the class, from the keywords here and ``more``, which prevail.

        Raises:
            ValueError: for a keyword that the class does not have, or a value that it refuses.
        """
        given = self.model_extra or {}
        try:
            with by_their_keys({self.place: given} if self.place else {}, more):
                return self.cls()(**{**given, **more})
        except TypeError as error:
            raise ValueError(f"{self.target}: {error}") from None


def _allowed(target: str) -> str:
    """``target``, if it is in the package, or in one that `OWN_CORPORA` names."""
    if target.partition(".")[0] not in (PACKAGE, *packages(OWN_CORPORA)):
        raise PydanticCustomError(NOT_ALLOWED, "not allowed")
    return target


class CorpusSpec(ClassSpec):
    """As `ClassSpec`, or a corpus class of a person's own package: only of one that the environment names in `OWN_CORPORA`.

    What a task file, a run or a checkpoint says cannot allow it, since importing a package runs it.
    """

    place: ClassVar[str | None] = "task.corpus"

    target: Annotated[str, AfterValidator(_allowed)] = Field(
        alias="_target_",
        pattern=r"^[\w.]+\.\w+$",
        description=f"a class of {PACKAGE}, or of a package that the environment variable {OWN_CORPORA} names",
    )

    def cls(self) -> Any:
        found = super().cls()
        # by name: all commands read settings, and are not made anew for each edit of a corpus
        importlib.import_module(f"{PACKAGE}.corpora").check_corpus(found)
        return found


class DataSpec(ClassSpec):
    """A data module."""

    place: ClassVar[str | None] = "task.data"


class ModelSpec(ClassSpec):
    """A system."""

    place: ClassVar[str | None] = "task.model"


def validate(kind: type[Checked], values: Mapping[str, Any]) -> Checked:
    """The settings ``kind`` from plain values.

    Raises:
        ValueError: one line an error, naming the key, the value and what is allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise ValueError("\n".join(_lines(kind, error.errors()))) from None


def _lines(kind: type[BaseModel], errors: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each setting that pydantic refuses; of one that may have several types it has an error for each."""
    several: dict[tuple[str | int, ...], list[Mapping[str, Any]]] = {}
    for error in errors:
        *place, _ = error["loc"] or ("",)
        if len(_options(_type_at(kind, place))) > 1:  # the last is then the name of one of the types
            several.setdefault(tuple(place), []).append(error)
        else:
            yield _line(kind, error)
    for place, of_place in several.items():
        yield refusal(place, of_place)


def _line(kind: type[BaseModel], error: Mapping[str, Any]) -> str:
    """One error of pydantic's in a line."""
    place = error["loc"]
    key = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        return unknown(key, _fields_at(kind, place[:-1]))
    if error["type"] == "missing":
        return f"{key} is missing: it must be given"
    if error["type"] in ("string_pattern_mismatch", NOT_ALLOWED) and (description := _description(kind, place)):
        return f"{key} must be {description} (got {shown(error['input'])})"
    if error["type"] == "value_error":  # of a validator here, whose words are those of this project
        value = "" if isinstance(error["input"], Mapping) else f" (got {shown(error['input'])})"
        return f"{key}: {error['msg'].removeprefix('Value error, ')}{value}".removeprefix(": ")
    return refusal(place, [error])


def _fields_at(kind: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The settings that there are at a place among those of ``kind``."""
    found = _settings_at(kind, place)
    return [name for name in found.model_fields if name not in NOT_SET] if found else []


def _description(kind: type[BaseModel], place: Sequence[str | int]) -> str | None:
    """What the setting at a place among those of ``kind`` may be, where words say it better than a pattern."""
    fields = _settings_at(kind, place[:-1])
    named = {field.alias or name: field.description for name, field in fields.model_fields.items()} if fields else {}
    return named.get(str(place[-1]))


def _settings_at(kind: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    """The class of the settings at a place among those of ``kind``; ``None`` where there are plain values."""
    return next((each for each in _options(_type_at(kind, place)) if _is_settings(each)), None)


def _type_at(kind: Any, place: Sequence[str | int]) -> Any:
    """The type of what is at a place within a value of the type ``kind``; ``None`` where any may be."""
    for name in place:
        held = [_type_in(option, name) for option in _options(kind)]
        kind = next((each for each in held if each is not None), None)
    return kind


def _type_in(kind: Any, name: str | int) -> Any:
    """The type of a field of settings, or of the entries of a list or a mapping."""
    if get_origin(kind) in (list, dict):
        return get_args(kind)[-1]
    return kind.model_fields[name].annotation if _is_settings(kind) and name in kind.model_fields else None


def _options(kind: Any) -> list[Any]:
    """The types that a value of the type ``kind`` may have, but for that of ``None``."""
    types = get_args(kind) if get_origin(kind) in (Union, UnionType) else [kind]
    return [each for each in types if each is not NoneType]


def _is_settings(kind: Any) -> bool:
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel)
