"""From a command line to checked settings: Hydra composes ``conf/``, pydantic checks what no constructor would."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.settings.schema import Experiment, Grid, validate

CONF = Path(__file__).resolve().parents[2] / "conf"


def compose(overrides: Sequence[str]) -> Experiment:
    """The experiment that ``overrides`` (``task=adding rnn=lstm seed=2 task.training.clip=0``) make of ``conf/``.

    Raises:
        ValueError: one line an error, naming the key, the value and what is allowed.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra_compose("config", list(overrides), return_hydra_config=True)
            choices = HydraConfig.instance().set_config(config) or config.hydra.runtime.choices
            names = {"task_name": choices["task"], "rnn_name": choices["rnn"]}
            told = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            values: Any = OmegaConf.to_container(told, resolve=True)
            HydraConfig.instance().cfg = None  # where it is set, Lightning adds to the command line of a further process
    except (HydraException, OmegaConfBaseException) as error:
        message, _, _ = " ".join(str(error).split()).partition(" Config search path")
        raise ValueError(message) from None
    return validate(Experiment, {**names, **values, "command_line": list(overrides)})


def grids(names: Sequence[str]) -> list[Grid]:
    """Grids of ``conf/grid.yaml``.

    Raises:
        ValueError: for a name that is not there.
    """
    from omegaconf import OmegaConf

    known: Any = OmegaConf.to_container(OmegaConf.load(CONF / "grid.yaml"))
    for name in names:
        if name not in known:
            raise ValueError(f"grid must be one of {sorted(known)}, not {name!r}")
    return [Grid(**known[name]) for name in names]


def run_stage(function: Callable[[Experiment], None]) -> None:
    """Run a stage on the command line's experiment."""
    exit_on_user_error(lambda: function(compose(sys.argv[1:])))


def exit_on_user_error(action: Callable[[], None]) -> None:
    """Run ``action``; what it refuses is one line an error on stderr, and exit code 2."""
    try:
        action()
    except (ValueError, OSError, FloatingPointError) as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2) from None
