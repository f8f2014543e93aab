"""Files of YAML, read in one way."""

from pathlib import Path
from typing import Any


def read_yaml(file: Path) -> Any:
    """The plain values of a file; interpolations stay as they are written.

    Raises:
        ValueError: naming the file, where it is no YAML.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        return OmegaConf.to_container(OmegaConf.load(file))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{file} is no file of YAML: {' '.join(str(error).split())}") from None
