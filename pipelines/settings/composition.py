"""What Hydra makes of the files of ``conf/`` and the words of a command line: once for the same files and words.

A command that composes many configurations, as the plan of a grid does, asks for some of them again and again: that of the
files alone, beside which the words of a command line are set.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.settings.keywords import named
from pipelines.settings.overrides import FOLDER, SEARCHPATH, located, rewritten, unmerged
from pipelines.settings.seals import check_seal
from pipelines.settings.tuned import AGAIN, check_tuned
from rnn_lightning.files import read_text

ENVIRONMENT = ("SEEDS_AT_ONCE",)
"""The environment variables that the files read."""
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
    if any(word.startswith((FOLDER, SEARCHPATH)) for word in overrides):  # of further folders
        return _compose(conf, overrides)
    return deepcopy(_known(conf, _state(conf), tuple(overrides)))


def composed_task(conf: Path, name: str) -> dict[str, Any]:
    """The plain values of the task ``name`` of the folder ``conf``, with those of the files that it inherits from.

    Raises:
        ValueError: if there is no such task, or its file cannot be composed.
    """
    known = sorted(file.stem for file in (conf / "task").glob("*.yaml"))
    if name not in known:
        raise ValueError(named("task", name, known))
    return deepcopy(_known_task(conf, _state(conf), name))


def _state(conf: Path) -> State:
    """The name, the size and the time of change of each file: while these stay, so does what is made of them."""
    files = sorted(Path(folder, name) for folder, _, names in os.walk(conf) for name in names if name.endswith(".yaml"))
    facts = [(file, file.stat()) for file in files]
    return (
        *((file, fact.st_ino, fact.st_size, fact.st_mtime_ns) for file, fact in facts),
        *map(os.environ.get, ENVIRONMENT),
    )


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
        for file in sorted(conf.rglob("*.yaml")):
            read_text(file)  # names the file and the line that is not UTF-8
        for file in sorted(conf.glob("tuned/*.yaml")):
            check_seal(file, again=AGAIN)
        if isinstance(error, YAMLError):
            raise ValueError(f"a file below {conf} is no YAML: {' '.join(str(error).split())}") from None
        if said := unmerged(error):
            raise ValueError(said) from None
        message, _, _ = " ".join((str(error) or str(error.__cause__)).split()).partition(" Config search path")
        raise ValueError(message) from None
