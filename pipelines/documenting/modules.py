"""The map of a folder: every module with the first line of its docstring, every file of settings with its title."""

import ast
from pathlib import Path
from typing import Any

from pipelines.settings.yaml_files import read_yaml
from rnn_lightning.checks import shown
from rnn_lightning.files import read_text


def module_list(folder: Path) -> str:
    """A Markdown list of the modules (``.py``) or settings (``.yaml``) below ``folder``, by folders; a folder comes first.

    Raises:
        ValueError: where there are none, or a file of settings has none.
    """
    files = sorted(file for pattern in ("*.py", "*.yaml") for file in folder.rglob(pattern))
    if not files:
        raise ValueError(f"{folder} has no modules to list")
    return "\n".join(_listed(folder, 0, files))


def _listed(folder: Path, depth: int, files: list[Path]) -> list[str]:
    """The lines of what lies in ``folder``: its files, then its folders with what lies in these."""
    own = [file for file in files if file.parent == folder and file.name != "__init__.py"]
    below = sorted({folder / file.relative_to(folder).parts[0] for file in files if folder in file.parents} - {*files})
    lines = [_line(file.name, description(file), depth) for file in own]
    for room in below:
        lines.append(_line(f"{room.name}/", description(room / "__init__.py"), depth))
        lines += _listed(room, depth + 1, [file for file in files if room in file.parents])
    return lines


def _line(name: str, words: str, depth: int) -> str:
    return f"{'  ' * depth}- `{name}`" + (f": {words}" if words else "")


def description(file: Path) -> str:
    """What a file says of itself in one line; nothing where it says nothing, or does not exist."""
    if not file.exists():
        return ""
    text = read_text(file)
    if file.suffix == ".py":
        docstring = ast.get_docstring(ast.parse(text)) or ""
        return docstring.partition("\n")[0].replace("``", "`")
    values = read_yaml(file)
    if not isinstance(values, dict):
        raise ValueError(f"{file} must have settings, KEY: VALUE, not {shown(values)}")
    comments = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    words = [values.get("title"), *(line for line in comments if not line.startswith("@")), _flat(values)]
    return str(next(each for each in words if each is not None))


def _flat(values: dict[str, Any]) -> str:
    """A few plain values on one line."""
    return ", ".join(f"{key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in values.items())
