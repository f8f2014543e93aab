"""What Hydra makes of the files of ``conf/`` and the words of a command line: once for the same files and words.

A command that composes many configurations, as the plan of a grid does, asks for some of them again and again: that of the
files alone, beside which the words of a command line are set.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.settings.keywords import named
from pipelines.settings.overrides import FOLDER, SEARCHPATH, located, rewritten, unmerged
from pipelines.settings.places import files_by_name
from pipelines.settings.seals import check_seal
from pipelines.settings.tuned import AGAIN, check_tuned
from rnn_lightning.files import read_text

ENVIRONMENT = re.compile(r"\$\{oc\.env:\s*(\w+)\s*(?:,[^${}]*)?\}")
"""A value of OmegaConf's that is an environment variable, or else the words behind it."""
OF_FILES = re.compile(r"\$\{(?:oc\.(?:select|decode|create|dict\.keys|dict\.values):[^${}]*|[\w.\[\]]+)\}")
"""A value that is made of other values, or is another setting."""
NOT_READ = re.compile(r"\$\{|\\[uUx]|\.\./")
"""What else a value may be, also by an escaped sign, and a file of another folder: what it is then is not known here."""
State = tuple[Any, ...]
"""What the files are, and all else that decides what is made of them."""


class Composition(NamedTuple):
    """Plain values of all settings, and by folder of ``conf/`` the file that was chosen."""

    values: dict[str, Any]
    choices: Mapping[str, str]


def composition(conf: Path, overrides: Sequence[str]) -> Composition:
    """The settings that ``overrides`` make of the folder ``conf``.

    Raises:
        ValueError: one line on a word or a file that cannot be composed.
    """
    if any(word.startswith((FOLDER, SEARCHPATH)) or "${" in word for word in overrides):  # of further folders, or resolved
        return _compose(conf, overrides)
    return deepcopy(_known(conf, _state(conf), tuple(overrides)))


def composed_task(conf: Path, name: str) -> dict[str, Any]:
    """The plain values of the task ``name`` of the folder ``conf``, with those of the files that it inherits from.

    Raises:
        ValueError: if there is no such task, or its file cannot be composed.
    """
    if name not in (known := files_by_name(conf / "task")):
        raise ValueError(named("task", name, [*known]))
    return deepcopy(_known_task(conf, _state(conf), name))


def _files(conf: Path) -> list[Path]:
    """The YAML files below ``conf``, also in folders that are links: each folder once."""
    files, seen = [], set[str]()
    for folder, below, names in os.walk(conf, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            below.clear()
            continue
        seen.add(real)
        files += [file for name in sorted(names) if name.endswith(".yaml") and (file := Path(folder, name)).is_file()]
    return files


def _state(conf: Path) -> State:
    """What decides what is made of the files: while it stays, so does that. It is another one each time if more decides."""
    facts = tuple((file, fact.st_ino, fact.st_size, fact.st_mtime_ns, fact.st_ctime_ns) for file, fact in _facts(conf))
    variables = _variables(facts)
    return (object(),) if variables is None else (facts, *map(os.environ.get, variables))


def _facts(conf: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for file in _files(conf):
        with suppress(FileNotFoundError):  # which is removed just now
            yield file, file.stat()


@lru_cache(maxsize=16)
def _variables(facts: State) -> tuple[str, ...] | None:
    """The environment variables that the files read; None if they ask for more than files and variables, such as the time."""
    try:
        text = b"\n".join(file.read_bytes() for file, *_ in facts).decode(errors="replace")
    except OSError:  # of one that is gone by now, or may not be read
        return None
    variables, before = [], ""
    while text != before:  # values in values, from the innermost
        variables += ENVIRONMENT.findall(text)
        before, text = text, OF_FILES.sub("", ENVIRONMENT.sub("", text))
    return tuple(variables) if NOT_READ.search(text) is None else None


@lru_cache(maxsize=256)
def _known(conf: Path, state: State, overrides: Sequence[str]) -> Composition:
    return _compose(conf, overrides)


@lru_cache(maxsize=256)
def _known_task(conf: Path, state: State, name: str) -> dict[str, Any]:
    from hydra import compose
    from omegaconf import OmegaConf

    with _configuration(conf):
        values: Any = OmegaConf.to_container(compose(overrides=[f"+task={name}"]), resolve=True)
    return values["task"]


def _compose(conf: Path, overrides: Sequence[str]) -> Composition:
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    with _configuration(conf):
        config = compose("config", rewritten(located(overrides)), return_hydra_config=True)
        choices = HydraConfig.instance().set_config(config) or config.hydra.runtime.choices
        folders = [Path(source.path) for source in config.hydra.runtime.config_sources if source.schema == "file"]
        plain = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        values: Any = OmegaConf.to_container(plain, resolve=True)
        check_tuned(folders, choices["tuned"], values.get("tuning"))
        HydraConfig.instance().cfg = None  # where it is set, Lightning adds to the command line of a further process
        return Composition(values, dict(choices))


@contextmanager
def _configuration(conf: Path) -> Iterator[None]:
    """Hydra on the folder ``conf``; what it refuses, and what is no YAML, is a ``ValueError`` of one line."""
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            yield
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        for file in _files(conf):
            read_text(file)  # names the file and the line that is not UTF-8
        for file in files_by_name(conf / "tuned").values():
            check_seal(file, again=AGAIN)
        if isinstance(error, YAMLError):
            raise ValueError(f"a file below {conf} is no YAML: {' '.join(str(error).split())}") from None
        if said := unmerged(error):
            raise ValueError(said) from None
        message, _, _ = " ".join((str(error) or str(error.__cause__)).split()).partition(" Config search path")
        raise ValueError(message) from None
