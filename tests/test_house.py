"""The rules of the house that a machine can hold: who imports whom, how long things are, what the map and conf/ name."""

import ast
import inspect
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
import yaml

from rnn_lightning.recurrent import CELLS, recurrent

ROOT = Path(__file__).parents[1]
LIBRARY = "rnn_lightning"

MAY_IMPORT: dict[str, set[str]] = {
    "files": set(),
    "sequences": set(),
    "processes": {"sequences"},
    "progress": set(),
    "regularize": {"sequences"},
    "output_layer": set(),
    "standardize": set(),
    "pen": set(),
    "audio": set(),
    "recurrent": {"sequences", "regularize"},
    "attention": {"sequences"},
    "decoder": {"sequences", "regularize", "recurrent", "attention"},
    "characters": {"sequences", "recurrent"},
    "vectors": set(),
    "search": {"sequences"},
    "subsampling": {"sequences"},
    "ngram": {"sequences"},
    "ctc": {"sequences"},
    "tag_schemes": set(),
    "crf": {"sequences", "tag_schemes"},
    "metrics": {"sequences", "tag_schemes"},
    "budget": {"sequences", "recurrent"},
    "compress": set(),
    "laws": {"sequences", "recurrent"},
    "data": {"sequences", "processes", "progress", "pen"},
    "corpora": {"files", "sequences", "data", "vectors", "pen", "audio"},
    "systems": {
        *{"files", "sequences", "processes", "progress", "regularize", "recurrent", "attention", "decoder", "characters"},
        *{"search", "ctc", "crf", "metrics", "tag_schemes", "output_layer", "standardize", "subsampling"},
    },
    "predictors": {"files", "systems", "search", "metrics", "compress", "audio", "corpora"},
}
"""Each room of the library with those it may import; the package itself may import all but corpora."""
PACKAGE_MAY_IMPORT = set(MAY_IMPORT) - {"corpora"}

PIPELINE_TOOLS = {"hydra", "omegaconf", "mlflow", "optuna", "dvc", "pydantic"}
CORPUS_TOOLS = {"datasets", "tokenizers"}
MAY_KNOW_CORPUS_TOOLS = {"corpora", "predictors"}
LIGHTNING = {"lightning", "pytorch_lightning"}
LIGHTNING_ROOMS = {"systems", "data"}
KNOWS_MLFLOW = ("pipelines/tracking",)

LONGEST_FUNCTION, LONGEST_FILE = 25, 250
ALLOWED_TO_BE_LONGER: set[str] = set()
"""Files, or ``file:function``."""


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


def at_import(path: str) -> set[ast.stmt]:
    """The statements that run when the file is imported: those in no function, and not for the type checker alone."""

    def waits(node: ast.AST) -> bool:
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        return typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)

    waiting = {inner for node in ast.walk(tree_of(path)) if waits(node) for inner in ast.walk(node)}
    return {node for node in ast.walk(tree_of(path)) if isinstance(node, ast.stmt) and node not in waiting}


@pytest.mark.parametrize("path", python_files("src"))
def test_a_room_imports_only_the_rooms_below_it(path: str) -> None:
    package = package_of(path)
    own = "" if package == (LIBRARY,) and Path(path).stem == "__init__" else room_of(".".join([*package, Path(path).stem]))
    assert own == "" or own in MAY_IMPORT, f"{path} is in no room: give {own!r} its line in MAY_IMPORT"
    allowed = PACKAGE_MAY_IMPORT if own == "" else {own, *MAY_IMPORT[own]}
    for module, node in imports_of(path):
        top = module.split(".")[0]
        where = f"{path}:{node.lineno} imports {module}"
        assert top != "pipelines", where
        assert top not in PIPELINE_TOOLS, where
        assert top not in LIGHTNING or own in LIGHTNING_ROOMS, where
        assert top not in CORPUS_TOOLS or (own in MAY_KNOW_CORPUS_TOOLS and node not in at_import(path)), where
        assert top != LIBRARY or room_of(module) in allowed, where


@pytest.mark.parametrize("path", python_files("pipelines", "benchmarks"))
def test_one_place_knows_mlflow(path: str) -> None:
    for module, node in imports_of(path):
        known = path.startswith(KNOWS_MLFLOW)
        assert known or module.split(".")[0] != "mlflow", f"{path}:{node.lineno} imports {module}"


def statements_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The statements of a function, those of the functions in it included, its docstring not."""
    inside = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return inside - (ast.get_docstring(function) is not None)


@pytest.mark.parametrize("path", python_files())
def test_a_function_fits_the_eye_and_a_file_has_one_subject(path: str) -> None:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE or path in ALLOWED_TO_BE_LONGER, f"{path} has {lines} lines"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = statements_of(node)
            allowed = length <= LONGEST_FUNCTION or f"{path}:{node.name}" in ALLOWED_TO_BE_LONGER
            assert allowed, f"{path}:{node.lineno} {node.name} has {length} statements"


def the_map() -> list[str]:
    """What the README's section "map" names: files, folders (with a last slash) and patterns.

    A pattern in angle brackets, ``<task>-<rnn>.yaml``, names files that are yet to be made.
    """
    readme = ROOT / "README.md"
    assert readme.exists(), "there is no README.md, and so no map of the files"
    section = re.search(r"^(#+) [^\n]*\bmap\b[^\n]*$(.*?)(?=^#{1,2} |\Z)", readme.read_text("utf-8"), re.I | re.M | re.S)
    assert section, "README.md has no section whose title has the word map"
    return re.findall(r"[\w*<>./-]*[\w*>]\.(?:py|yaml)\b|[\w.-]+(?:/[\w.-]+)*/", section[2])


def names(entry: str, path: str) -> bool:
    """Whether an entry of the map, a path or the end of one, stands for the file."""
    if entry.endswith("/"):
        return path.endswith(".yaml") and f"/{Path(path).parent}/".endswith(f"/{entry}")
    return fnmatch(f"/{path}", f"*/{re.sub('<[^>]*>', '*', entry)}")


@pytest.mark.parametrize("path", [*python_files("src", "pipelines", "benchmarks"), *tracked("conf/*.yaml")])
def test_the_map_names_every_file(path: str) -> None:
    assert any(names(entry, path) for entry in the_map()), f"the README's map does not name {path}"


def test_the_map_names_no_file_that_is_not_there() -> None:
    files = [path for path in tracked() if path.endswith((".py", ".yaml"))]
    entries = [entry for entry in the_map() if not entry.endswith("/") and "<" not in entry]
    missing = [entry for entry in entries if not any(names(entry, path) for path in files)]
    assert not missing, f"the README's map names what is not there: {missing}"


@pytest.mark.parametrize("path", tracked())
def test_no_file_knows_the_machine_it_was_written_on(path: str) -> None:
    text = (ROOT / path).read_bytes().decode("utf-8", errors="replace")
    found = re.search(r"(?<![\w.:/<-])/(?:home|root|work|Users)/\w[^\s\"']*", text)
    assert not found, f"{path} names {found[0]}"


def test_there_is_a_network_and_a_task_to_choose() -> None:
    assert tracked("conf/rnn/*.yaml"), "conf/rnn holds no network"
    assert tracked("conf/task/*.yaml"), "conf/task holds no task"


@pytest.mark.parametrize("path", tracked("conf/rnn/*.yaml"))
def test_a_network_of_conf_is_made_of_keywords_of_recurrent(path: str) -> None:
    settings = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    unknown = set(settings) - set(inspect.signature(recurrent).parameters)
    assert not unknown, f"{path} sets {sorted(unknown)}, which recurrent does not take"
    assert settings["cell"] in CELLS, f"{path} asks for the cell {settings['cell']!r}"


@pytest.mark.parametrize("path", tracked("conf/task/*.yaml"))
def test_a_task_of_conf_says_what_it_is(path: str) -> None:
    missing = {"title", "description", "metric"} - set(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))
    assert not missing, f"{path} lacks {sorted(missing)}"
