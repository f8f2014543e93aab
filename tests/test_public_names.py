"""The public names of the package: one table of them, the same for Python and for type checkers, and the deprecated ones."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import rnn_lightning

SOURCE = Path(rnn_lightning.__file__ or "")


def typed_names() -> dict[str, str]:
    """The public names that a type checker sees, with their rooms: re-exports by an alias of the same name."""
    block = next(node for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    aliases = [(alias, node.module or "") for node in imports for alias in node.names]
    assert all(alias.name == alias.asname for alias, _ in aliases), "a name without an alias is private to a type checker"
    return {alias.name: room for alias, room in aliases}


def test_a_type_checker_sees_the_names_that_python_sees() -> None:
    assert typed_names() == rnn_lightning._ROOM_OF
    assert sorted(typed_names()) == rnn_lightning.__all__ == dir(rnn_lightning)


@pytest.mark.parametrize("name", rnn_lightning.__all__)
def test_every_public_name_is_that_of_its_room(name: str) -> None:
    room = importlib.import_module(f"rnn_lightning.{rnn_lightning._ROOM_OF[name]}")
    assert getattr(rnn_lightning, name) is getattr(room, name)


@pytest.mark.parametrize(("old", "new"), rnn_lightning.OLD_NAMES.items())
def test_an_old_name_still_works_and_warns(old: str, new: str) -> None:
    assert old not in rnn_lightning.__all__
    with pytest.warns(DeprecationWarning, match=f"rnn_lightning.{old} is now rnn_lightning.{new}") as caught:
        assert getattr(rnn_lightning, old) is getattr(rnn_lightning, new)
    assert [Path(each.filename).name for each in caught] == [Path(__file__).name], "the warning names the line that uses it"


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'LSTM'; it has .*LanguageModel"):
        rnn_lightning.LSTM  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018


def test_importing_the_package_imports_no_room() -> None:
    code = (
        "import sys, rnn_lightning; print(sorted(name for name in sys.modules if name.startswith(('torch', 'rnn_lightning.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
