"""From a command line to checked settings: Hydra composes ``conf/``, pydantic checks what no constructor would."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.settings.environment import complete_environment
from pipelines.settings.schema import Experiment, validate

CONF = Path(__file__).resolve().parents[2] / "conf"
SEARCHPATH = "hydra.searchpath="
"""Begins the override that adds folders to ``conf/``: ``hydra.searchpath=[file:///home/me/conf]``."""


def compose(overrides: Sequence[str]) -> Experiment:
    """The experiment that ``overrides`` (``task=adding rnn=lstm seed=2 task.training.clip=0``) make of ``conf/``.

    Raises:
        ValueError: one line an error, naming the key, the value and what is allowed.
    """
    from hydra import compose as hydra_compose
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    with _configuration(CONF):
        config = hydra_compose("config", list(overrides), return_hydra_config=True)
        choices = HydraConfig.instance().set_config(config) or config.hydra.runtime.choices
        names = {"task_name": choices["task"], "rnn_name": choices["rnn"]}
        plain = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        values: Any = OmegaConf.to_container(plain, resolve=True)
        HydraConfig.instance().cfg = None  # where it is set, Lightning adds to the command line of a further process
    return validate(Experiment, {**names, **values, "command_line": list(overrides)})


def compose_task(conf: Path, name: str) -> dict[str, Any]:
    """The plain values of the task ``name`` of the folder ``conf``, with those of the files that it inherits from.

    Raises:
        ValueError: if there is no such task, or its file cannot be composed.
    """
    from hydra import compose as hydra_compose
    from omegaconf import OmegaConf

    known = sorted(file.stem for file in (conf / "task").glob("*.yaml"))
    if name not in known:
        raise ValueError(f"task must be one of {known}, not {name!r}")
    with _configuration(conf):
        values: Any = OmegaConf.to_container(hydra_compose(overrides=[f"+task={name}"]), resolve=True)
    return values["task"]


@contextmanager
def _configuration(conf: Path) -> Iterator[None]:
    """Hydra on the folder ``conf``; what it refuses is a ``ValueError`` of one line."""
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        message, _, _ = " ".join(str(error).split()).partition(" Config search path")
        raise ValueError(message) from None


def run_stage(function: Callable[[Experiment], None]) -> None:
    """Run a stage on the command line's experiment."""
    exit_on_user_error(lambda: function(compose(sys.argv[1:])))


def exit_on_user_error(action: Callable[[], None]) -> None:
    """Run ``action``; an error that the user can mend is one line an error on stderr, and exit code 2."""
    complete_environment()
    try:
        action()
    except (ValueError, OSError, FloatingPointError) as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2) from None


def no_arguments(result: Path) -> Path:
    """``result``, for a command that takes no arguments.

    Raises:
        ValueError: where the command line has some.
    """
    if sys.argv[1:]:
        raise ValueError(f"this command takes no arguments, not {' '.join(sys.argv[1:])}")
    return result
