"""Keywords in settings, held against the signature of what they are given to: names that are there, values of stated types."""

import difflib
import inspect
import json
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipelines.settings.nested import flatten
from pipelines.settings.wording import refusal
from rnn_lightning.checks import shown

PLAIN = (bool, int, float, str, type(None), Path)
"""Types of single values that YAML can write; of a union, other classes are left out."""


MOST_NAMED, FEW = 20, 5
"""Names that are all listed, and how many are of more."""


def refuse(lines: Iterable[str]) -> None:
    """Raise a ``ValueError`` of the ``lines``, each once, if there are any."""
    if bad := list(lines):
        raise ValueError("\n".join(dict.fromkeys(bad)))


def bad_keywords(
    where: str, function: Callable[..., Any], given: Mapping[str, Any], supplied: Mapping[str, str], first: int = 0
) -> Iterator[str]:
    """A line for each of the keywords ``given`` that ``function`` does not take.

    Args:
        where: the settings' key that holds them.
        supplied: keywords that the pipeline gives itself, and what decides them.
        first: how many positional arguments it gives before.
    """
    names = list(inspect.signature(function).parameters)[first:]
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    allowed = [name for name in names if name not in supplied]
    for name, value in given.items():
        key = f"{where}.{name}"
        if name in supplied:
            yield f"{key} cannot be set (got {shown(value)}): {supplied[name]}; leave it out"
        elif name not in names:
            yield unknown(key, allowed)
        elif name in hints:
            yield from bad_value(key, value, hints[name])


def bad_value(key: str, value: Any, hint: Any) -> Iterator[str]:
    """A line where a plain ``value`` is not what ``hint`` says: words and numbers are no booleans, words no numbers."""
    try:
        text = json.dumps(value)
        TypeAdapter(_plain(hint), config=ConfigDict(arbitrary_types_allowed=True)).validate_json(text, strict=True)
    except ValidationError as error:
        errors = error.errors()
        inside = [each for each in errors if each["input"] != value]
        for each in inside:
            keys = [part for part in each["loc"] if isinstance(value, Mapping) and part in value]
            numbers = [part for part in each["loc"] if isinstance(part, int)]
            yield refusal([key, *(keys[:1] or numbers)], [each], None if keys else f"an entry of {key}")
        if not inside:
            yield refusal([key], [{**each, "input": value} for each in errors])


def _plain(hint: Any) -> Any:
    """The type without what no YAML can write: tensors and networks that Python may give instead."""
    if get_origin(hint) not in (Union, types.UnionType):
        return Any if inspect.isclass(hint) and not issubclass(hint, (*PLAIN, dict, list, tuple)) else hint
    kept = [part for part in get_args(hint) if not inspect.isclass(part) or issubclass(part, (*PLAIN, dict, list))]
    return Union[tuple(kept)]  # noqa: UP007 - of parts that only the running program knows


@contextmanager
def by_their_keys(given: Mapping[str, Mapping[str, Any]], beside: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Name the full key in what a constructor says of its argument: those ``given``, by the settings' key that holds them.

    An error that begins with an argument of another value stays: it is of another constructor's. So does one that may be of
    several, those that have no key, ``beside``, included.
    """
    try:
        yield
    except ValueError as error:
        said = str(error)
        if (named := _by_key(said, given, beside or {})) != said:
            error.args = (named,)
        raise


def _by_key(said: str, given: Mapping[str, Mapping[str, Any]], beside: Mapping[str, Any]) -> str:
    inner = re.sub(r"^(\w+)(?: '[^']*')?: (?=\w+ must )", r"\1.", said)  # ``schedule 'warmup': steps must be ...``
    name = re.match(r"[\w.]*", inner)[0]  # pyright: ignore[reportOptionalSubscript] - it matches nothing at least
    values = [*flatten(given).items(), *flatten({"": beside}).items()]
    named = [key for key, value in values if f".{key}".endswith(f".{name}") and _refuses(inner, value)]
    if len(named) > 1 or (named and named[0].startswith(".")):
        return said
    if named:
        return f"{named[0]}{inner.removeprefix(name)}"
    first = re.match(r"\w*", said)[0]  # pyright: ignore[reportOptionalSubscript]
    holders = [key for key, settings in given.items() if isinstance(settings.get(first), Mapping | list)]
    return f"{holders[0]}.{said}" if holders else said


def _refuses(said: str, value: Any) -> bool:
    return re.search(rf"not {re.escape(shown(value))}(?![\w.])", said) is not None


def unknown(key: str, allowed: Iterable[str]) -> str:
    """The line on a setting that there is not: it names those that there are, in order, and the one that may be meant."""
    folder, _, name = key.rpartition(".")
    there = sorted(allowed)
    near = difflib.get_close_matches(name, there, 1)
    meant = f" (the nearest is {near[0]})" if near else ""
    return f"{key}: there is no such setting{meant}; {f'in {folder} ' if folder else ''}there are {', '.join(there) or 'none'}"


def named(what: str, name: Any, known: Iterable[str]) -> str:
    """The line on a name that is none of the ``known``: it names them, in order, or of many those that may be meant."""
    if not (listed := sorted(known)):
        return (
            f"{what} cannot be {shown(name)}: there is none at all; look whether the folder or the file that has them is gone"
        )
    near = difflib.get_close_matches(str(name), listed, FEW)
    meant = f": the nearest is {near[0]}" if near else ""
    if len(listed) > MOST_NAMED:
        some = sorted(near) or listed[:FEW]
        listed = [*some, f"... ({len(listed) - len(some)} more, which --help lists)"]
    return f"{what} must be one of {', '.join(listed)}, not {shown(name)}{meant}"
