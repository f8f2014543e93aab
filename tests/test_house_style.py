"""How long functions and files may be, what a signature says, and that behaviour is asked for, not type."""

import ast
from collections.abc import Iterator
from functools import cache

from house import ROOT, functions_of, none, python_files, room_of_file, tree_of

MOST_STATEMENTS, LONGEST_FUNCTION, LONGEST_FILE = 25, 40, 250
ALLOWED_TO_BE_LONGER: set[str] = {
    "src/rnn_lightning/recurrent/network.py:build_network",  # its signature and the meaning of its keywords have 40 lines
    "src/rnn_lightning/models/seq2seq.py:__init__",  # its signature alone has 24 lines
    "src/rnn_lightning/models/tagger.py:__init__",  # as has this one, 19
    "src/rnn_lightning/models/forecaster.py:__init__",  # as has this one, 21
    "tests/run_folders.py:make_run",
}
"""Files, or ``file:function``."""
MAY_TAKE_ANY_KEYWORD: dict[str, str] = {
    "pipelines/settings/base.py:build": "the class that a task file names checks its own keywords",
    "pipelines/sweeping/storage.py:repeated": "arguments of the function that is repeated",
    "pipelines/tracking/logger.py:log_hyperparams": "as Lightning's Logger has it",
    "pipelines/training/trainers.py:make_trainer": "further arguments of Lightning's Trainer",
    "src/rnn_lightning/budget.py:hidden_size_for": "keywords of build_network",
    "src/rnn_lightning/budget.py:costs_at": "keywords of build_network",
    "src/rnn_lightning/corpora/generated.py:check_chances": "the names of the numbers that are checked",
    "src/rnn_lightning/predictors/__init__.py:load_predictor": "keywords of the predictor's own load, which checks them",
    "src/rnn_lightning/runtime/__init__.py:load": "keywords of the class' own load, which checks them",
    "src/rnn_lightning/checks.py:check_counts": "the names of the numbers that are checked",
    "src/rnn_lightning/checks.py:check_flags": "the names of the flags that are checked",
    "src/rnn_lightning/sequences.py:check_memory": "the names of the sizes that are multiplied",
    "src/rnn_lightning/sequences.py:check_tensors": "the names of the tensors that are checked",
    "src/rnn_lightning/systems/metered.py:add_metrics": "the names under which metrics are logged",
    "src/rnn_lightning/models/seq2seq.py:translate": "keywords of beam_search, which checks them",
    "src/rnn_lightning/systems/system.py:__init__": "the names of the arguments that describe networks",
    "src/rnn_lightning/models/model.py:__init__": "as a system has it, whose networks these are",
    "src/rnn_lightning/systems/system.py:load_from_checkpoint": "as Lightning's LightningModule has it",
}
"""``file:function`` with ``**keywords``, and why."""
MEANINGLESS = {"told", "telling"}


def test_every_exception_of_these_lists_exists() -> None:
    known = {*python_files(), *(f"{path}:{function.name}" for path in python_files() for function in functions_of(path))}
    assert not (ALLOWED_TO_BE_LONGER | set(MAY_TAKE_ANY_KEYWORD)) - known


def statements_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The statements of a function, those of the functions in it included, its docstring not."""
    inside = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return inside - (ast.get_docstring(function) is not None)


def test_a_function_fits_the_eye_and_a_file_has_one_subject() -> None:
    none(line for path in python_files() for line in _too_long(path))


def _too_long(path: str) -> Iterator[str]:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    if lines > LONGEST_FILE and path not in ALLOWED_TO_BE_LONGER:
        yield f"{path} has {lines} lines"
    for node in functions_of(path):
        statements, height = statements_of(node), (node.end_lineno or 0) - node.lineno + 1
        if (statements > MOST_STATEMENTS or height > LONGEST_FUNCTION) and f"{path}:{node.name}" not in ALLOWED_TO_BE_LONGER:
            yield f"{path}:{node.lineno} {node.name} has {statements} statements in {height} lines"


def test_a_signature_names_its_keywords() -> None:
    anonymous = (
        (path, node) for path in python_files("src", "pipelines") for node in functions_of(path) if node.args.kwarg is not None
    )
    none(
        f"{path}:{node.lineno} {node.name} takes any keyword"
        for path, node in anonymous
        if f"{path}:{node.name}" not in MAY_TAKE_ANY_KEYWORD
    )


@cache
def home_of_classes() -> dict[str, str]:
    """Each class of the library, and of the rooms of pipelines/, with its room."""
    homes: dict[str, str] = {}
    for path in python_files("src", "pipelines"):
        homes |= {node.name: room_of_file(path) for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)}
    return homes


def test_behaviour_is_asked_for_and_not_type() -> None:
    """``isinstance`` of a class of ours stands only in the room of that class, and nobody asks ``hasattr``."""
    none(line for path in python_files("src", "pipelines") for line in _type_questions(path))


def _type_questions(path: str) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "hasattr":
            yield f"{path}:{node.lineno} asks hasattr"
        if node.func.id in ("isinstance", "issubclass"):
            asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
            foreign = sorted(name for name in asked if home_of_classes().get(name, room_of_file(path)) != room_of_file(path))
            if foreign:
                yield f"{path}:{node.lineno} asks whether something is a {', '.join(foreign)}"


def test_words_that_mean_everything_name_nothing() -> None:
    """``told`` was a name in 77 functions with ten meanings."""
    for path in python_files("src", "pipelines", "benchmarks"):
        nodes = list(ast.walk(tree_of(path)))
        names = {node.id for node in nodes if isinstance(node, ast.Name)} | {
            node.arg for node in nodes if isinstance(node, ast.arg)
        }
        assert not names & MEANINGLESS, f"{path} names {sorted(names & MEANINGLESS)}"
