"""What the tests of the house rules ask: which files there are, what they import and define."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = "rnn_lightning"


@cache
def tracked(*patterns: str) -> tuple[str, ...]:
    """The files that git tracks and that match a pattern, relative to the root, without those deleted since."""
    command = ["git", "ls-files", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(path for path in listed if (ROOT / path).is_file())


def python_files(*folders: str) -> tuple[str, ...]:
    return tuple(path for path in tracked(*folders) if path.endswith(".py"))


@cache
def tree_of(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def package_of(path: str) -> tuple[str, ...]:
    """The package that a file's relative imports start from: ``src/a/b/c.py`` is in (a, b)."""
    return Path(path).parent.relative_to("src" if path.startswith("src/") else ".").parts


def imports_of(path: str) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that a file imports, by its full dotted name, with the statement."""
    package = package_of(path)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*base, *([node.module] if node.module else [])])
            # ``from . import ctc`` names a module, ``from .ctc import decode`` a thing in one.
            yield from ((f"{source}.{alias.name}" if not node.module else source, node) for alias in node.names)


def room_of(module: str) -> str:
    """``rnn_lightning.recurrent.fused`` is in the room ``recurrent``; the package itself is the room ``""``."""
    return f"{module}.".split(".")[1]


@cache
def at_import(path: str) -> set[ast.stmt]:
    """The statements that run when the file is imported: those in no function, and not for the type checker alone."""

    def waits(node: ast.AST) -> bool:
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        return typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)

    waiting = {inner for node in ast.walk(tree_of(path)) if waits(node) for inner in ast.walk(node)}
    return {node for node in ast.walk(tree_of(path)) if isinstance(node, ast.stmt) and node not in waiting}


def room_of_file(path: str) -> str:
    """``src/rnn_lightning/recurrent/fused.py`` is in the room ``recurrent``, the package itself in ``""``."""
    package = package_of(path)
    return "" if len(package) == 1 and Path(path).stem == "__init__" else room_of(".".join([*package, Path(path).stem]))


def none(violations: Iterable[str]) -> None:
    """Assert that there are none, and name all that there are."""
    listed = list(violations)
    assert not listed, "\n".join(["", *listed])


def functions_of(path: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
