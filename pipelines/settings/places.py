"""Where things are: the code, its configuration, and the project, which is the folder that commands write to."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
IN_CLONE = (PACKAGE.parent / "conf" / "config.yaml").is_file()
"""Whether this is a clone of the repository; else it is installed, and the project is where the command was started."""
PROJECT = PACKAGE.parent if IN_CLONE else Path.cwd()
LIBRARY = (PACKAGE.parent / "src" if IN_CLONE else PACKAGE.parent) / "rnn_lightning"


def configuration(project: Path) -> Path:
    """The folder ``conf`` of the project if it has one, or none is installed, else the installed one."""
    installed = PACKAGE / "conf"
    own = (project / "conf" / "config.yaml").is_file() or not (installed / "config.yaml").is_file()
    return project / "conf" if own else installed


def files_by_name(folder: Path) -> dict[str, Path]:
    """The YAML files of a folder by name, sorted; not what editors keep beside them, nor a link to what is not there."""
    return {file.stem: file for file in sorted(folder.glob("*.yaml")) if file.is_file() and not file.name.startswith(".")}


CONF = configuration(PROJECT)
