"""From a name and settings, as YAML and checkpoints hold them, to an object of one of the package's tables."""

import importlib
import inspect
import os
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .checks import check_choice, shown

Entry = TypeVar("Entry")
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def choose(what: str, table: Mapping[str, Entry], name: Any) -> Entry:
    """The entry ``name`` of ``table``.

    Raises:
        ValueError: for a name that is not in the table; lists those that are.
    """
    check_choice(what, name, sorted(table))
    return table[name]


def build(what: str, table: Mapping[str, Callable[..., Entry]], settings: Mapping[str, Any], *first: Any) -> Entry:
    """Call the entry ``settings["name"]`` of ``table`` with ``first`` and the other settings as keyword arguments.

    Raises:
        ValueError: for a name that is not in the table, or as ``call`` does; names ``what`` is built.
    """
    entry, keywords = _entry(what, table, settings)
    return call(f"{what} {settings['name']!r}", entry, keywords, *first)


def check_settings(what: str, table: Mapping[str, Callable[..., Any]], settings: Mapping[str, Any], first: int = 0) -> None:
    """Refuse ``settings`` that `build` would refuse, with so many arguments ``first``, for their names.

    Raises:
        ValueError: as ``build``, whatever the values are.
    """
    entry, keywords = _entry(what, table, settings)
    check_keywords(f"{what} {settings['name']!r}", entry, keywords, first)


def _entry(what: str, table: Mapping[str, Entry], settings: Any) -> tuple[Entry, dict[str, Any]]:
    """The entry of ``table`` that ``settings`` name, and its keywords."""
    if not isinstance(settings, Mapping):
        raise ValueError(f"{what} must be {{name: ..., ...}}, not {shown(settings)}")
    entry = choose(f"{what} name", table, settings.get("name"))
    return entry, {key: value for key, value in settings.items() if key != "name"}


def own_class(what: str, path: str, variable: str, kind: type[Any] | tuple[type[Any], ...], called: str) -> type[Any]:
    """The class at ``path`` of a package of one's own. What a checkpoint or a task file says cannot allow it, since an import
    runs code: the environment ``variable`` names the packages, separated by commas.

    Raises:
        ValueError: for another package, or what is no class of ``kind``, which is ``called`` so; begins with ``what``.
    """
    package = path.partition(".")[0]
    if package not in packages(variable) and package.isidentifier():
        allowed = f"{variable}={package} in the environment allows it"
        raise ValueError(f"{what} {path!r} is of the package {package}, which may not be imported: {allowed}")
    found = imported(what, path)
    if not isinstance(found, type) or not issubclass(found, kind):
        raise ValueError(f"{what} {path!r} must be a class of {called}")
    return found


def imported(what: str, path: str) -> Any:
    """What the module has that all of ``path`` but its last name leads to.

    Raises:
        ValueError: where there is none, or the module fails as it is imported; begins with ``what``.
    """
    module, _, name = path.rpartition(".")
    if not module or not all(part.isidentifier() for part in path.split(".")):
        raise ValueError(f"{what} {path!r} must be the path of a class, such as my_package.MyClass")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{what} {path!r} cannot be imported: {error}") from None
    except (Exception, SystemExit) as error:  # of the code of the module itself
        file, line, *_ = traceback.extract_tb(error.__traceback__)[-1]
        raise ValueError(f"{what} {path!r} cannot be imported: {in_words(error)} ({file}, line {line})") from error


def in_words(error: BaseException) -> str:
    """The type of an error and what it says, in a line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def packages(variable: str) -> list[str]:
    """The packages of one's own that the environment ``variable`` names, separated by commas."""
    return [name for part in os.environ.get(variable, "").split(",") if (name := part.strip())]


def call(what: str, entry: Callable[..., Entry], keywords: Mapping[str, Any], *first: Any) -> Entry:
    """Call ``entry`` with the positional arguments ``first`` and the ``keywords``.

    Raises:
        ValueError: as ``check_keywords``, or for a value that it refuses; begins with ``what``.
    """
    check_keywords(what, entry, keywords, len(first))
    try:
        return entry(*first, **keywords)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from None


def check_keywords(what: str, entry: Callable[..., Any], keywords: Mapping[str, Any], first: int = 0) -> None:
    """Refuse ``keywords`` that ``entry`` does not have behind so many positional arguments ``first``, and the lack of one.

    Raises:
        ValueError: beginning with ``what``; lists the keywords that there are.
    """
    parameters = list(inspect.signature(entry).parameters.values())[first:]
    named = {parameter.name: parameter for parameter in parameters if parameter.kind not in VARIADIC}
    unknown = [key for key in keywords if key not in named]
    missing = [key for key, parameter in named.items() if parameter.default is parameter.empty and key not in keywords]
    allowed = f"its settings are {list(named)}"
    if unknown:
        raise ValueError(f"{what}: there is no setting {', '.join(map(repr, unknown))}; {allowed}")
    if missing:
        raise ValueError(f"{what}: needs {', '.join(map(repr, missing))}; {allowed}")
