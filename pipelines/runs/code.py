"""The code of a command: the files of ``src/`` and ``pipelines/`` that it imports, directly or through others.

The imports are read from the syntax trees, those in functions included; those for the type checker alone are not, but where a
package gives its names lazily: there they say which module a name comes from. What a command imports by a name in ``conf/``
or loads by its path stands in `COMMANDS`.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.settings.places import LIBRARY, PACKAGE
from rnn_lightning.files import sha256
from rnn_lightning.registry import packages

FOLDERS = {"rnn_lightning": LIBRARY.parent, "pipelines": PACKAGE.parent}
SYSTEMS = ("rnn_lightning.systems", "rnn_lightning.data")
COMMANDS = {
    "settings": ("pipelines.plan",),
    "fetch": ("pipelines.fetch", "rnn_lightning.corpora"),
    "preprocess": ("pipelines.preprocess", "rnn_lightning.corpora"),
    "train": ("pipelines.train", *SYSTEMS),
    "evaluate": ("pipelines.evaluate", "pipelines.digest", "pipelines.tracking.served*", *SYSTEMS),
    "compare": ("pipelines.compare",),
}
"""By stage, its modules: the command, and what is named elsewhere than in an import."""
WEIGHTS = ("rnn_lightning.budget", *SYSTEMS, "pipelines.training.*")
"""What decides the weights of a training, besides its configuration and its data."""

OWN_NETWORKS = "RNN_LIGHTNING_NETWORKS"
"""As `rnn_lightning.recurrent` has it, which would import PyTorch."""
BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
"""The parts of a statement that have statements in them: imports are found there, in a tenth of the time of a whole tree."""


def code_of(modules: Iterable[str]) -> list[Path]:
    """The files of ``modules`` (names, or patterns of names) and of all that they import, C beside them included, sorted."""
    waiting = [name for module in modules for name in _named(module)]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imports(name)
    files = {file for name in reached if (file := _file(name)) is not None}
    return sorted(files | {source for file in files for source in file.parent.glob("*.c")})


def weights_hash() -> str:
    """One hash over the code that decides the weights of a training.

    Of ``pipelines/`` only ``training/`` and ``kinds/`` count: all else reads settings, locks folders and shows runs.
    """
    files = [file for file in code_of(WEIGHTS) if file.is_relative_to(LIBRARY)]
    rooms = [PACKAGE / room for room in ("kinds", "training")]
    return sha256(*files, *(file for room in rooms for file in sorted(room.glob("*.py"))))


def own_code(rnn: Mapping[str, Any]) -> str | None:
    """The hash of the file of a cell that is a class of a user's own; ``None`` where it is none, or cannot be imported."""
    module = str(rnn.get("cell", "")).rpartition(".")[0]
    if not module or module.partition(".")[0] not in packages(OWN_NETWORKS):
        return None
    try:
        spec = find_spec(module)
    except (Exception, SystemExit):  # of the package above it, which is imported for that; who builds the cell says so
        return None
    return sha256(Path(spec.origin)) if spec is not None and spec.origin else None


def listing(files: Iterable[Path]) -> str:
    """A line a file: its hash and its path from the root."""
    return "".join(f"{sha256(file)}  {file.relative_to(PACKAGE.parent)}\n" for file in files)


def _named(pattern: str) -> list[str]:
    """The modules whose names match; a pattern ends in a star."""
    if not pattern.endswith("*"):
        return [pattern]
    folder, _, stem = pattern.rpartition(".")
    path = FOLDERS[folder.split(".")[0]].joinpath(*folder.split("."))
    return sorted(f"{folder}.{file.stem}" for file in path.glob(f"{stem}.py"))


def _file(module: str) -> Path | None:
    """The file of a module of ours, or ``None``."""
    top, *_ = parts = module.split(".")
    if top not in FOLDERS:
        return None
    path = FOLDERS[top].joinpath(*parts)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()), None)


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of ours that ``module`` imports, its packages included; that is all that runs with it."""
    file = _file(module)
    if file is None:
        return frozenset()
    parts = module.split(".")
    parents = {".".join(parts[:end]) for end in range(1, len(parts))}
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    package = parts if file.name == "__init__.py" else parts[:-1]
    found = {name for node in _executed(tree) for name in _modules(node, package)}
    return frozenset(name for name in parents | found if _file(name) is not None)


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements of a module but those for the type checker alone."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and _for_the_type_checker(node):
            waiting += node.orelse
        else:
            waiting += (inner for block in BLOCKS for inner in getattr(node, block, ()) if not isinstance(node, ast.expr))


def _for_the_type_checker(node: ast.If) -> bool:
    return ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def _modules(node: ast.AST, package: list[str]) -> Iterator[str]:
    """The modules that an import statement names, in a file of ``package``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else []
        source = ".".join([*base, *([node.module] if node.module else [])])
        yield source
        for alias in node.names:
            yield f"{source}.{alias.name}"
            yield from _lazy_names(source).get(alias.name, ())


@cache
def _lazy_names(package: str) -> dict[str, tuple[str, ...]]:
    """Of a package that imports its names when they are asked for: by name, the module that has it."""
    file = _file(package)
    if file is None or file.name != "__init__.py":
        return {}
    blocks = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    lazy = [line for node in blocks if _for_the_type_checker(node) for line in node.body]
    return {
        alias.name: tuple(_modules(line, package.split(".")))[:1]
        for line in lazy
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
