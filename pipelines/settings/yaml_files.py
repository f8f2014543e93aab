"""Files of YAML, read in one way."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any


def read_yaml(file: Path) -> Any:
    """The plain values of a file; interpolations stay as they are written.

    Raises:
        ValueError: naming the file, where it is no YAML.
    """
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        return deepcopy(_parsed(file.read_text(encoding="utf-8")))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{file} is no file of YAML: {' '.join(str(error).split())}") from None


@lru_cache(maxsize=16)
def _parsed(text: str) -> Any:
    """A command that composes many configurations reads the same grids for each."""
    from io import StringIO

    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.load(StringIO(text)))
