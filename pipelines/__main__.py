"""All commands in one: ``rnn train task=adding rnn=gru`` is ``python -m pipelines.train task=adding rnn=gru``."""

import ast
import runpy
import sys
from pathlib import Path

EXAMPLE = "rnn fetch task=adding; rnn preprocess task=adding; rnn train task=adding rnn=gru"
ORDER = ("init", "new", "fetch", "preprocess", "train", "evaluate", "compare", "results", "predict", "serve", "export", "share")
ORDER += ("microscope", "demo", "sweep", "publish", "repro", "reproduce")
"""The commands that people give, as they come one after another; DVC and the documentation have others."""


def main() -> None:
    """Run the command that the first word names, with the other words.

    Raises:
        SystemExit: with code 2 for a word that is none.
    """
    name, *words = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help", "--version"):
        print(version() if name == "--version" else overview())
    elif name in commands():
        sys.argv = [sys.argv[0], *words]
        runpy.run_module(f"pipelines.{name}", run_name="__main__", alter_sys=True)
    else:
        print(f"error: rnn has no command {name!r}; there are {', '.join(ORDER)}", file=sys.stderr)
        raise SystemExit(2)


def commands() -> list[str]:
    """The names of all commands, those that people give first."""
    files = [file.stem for file in Path(__file__).parent.glob("*.py")]
    return [*ORDER, *sorted(stem for stem in files if not stem.startswith("_") and stem not in ORDER)]


def overview() -> str:
    """What ``rnn --help`` prints: a line for each command."""
    lines = [f"  {name:11} {summary(name)}" for name in ORDER]
    usage = "Usage: rnn COMMAND [KEY=VALUE ...]; rnn COMMAND --help lists the keys of a command, and what they may be."
    return "\n".join([usage, "", *lines, "", f"Example: {EXAMPLE}"])


def summary(name: str) -> str:
    """The first line of a command's docstring, without how it is called."""
    doc = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))) or ""
    first = doc.partition("\n")[0].partition(": ``")[0].removeprefix("Stage: ").replace("``", "").rstrip(".")
    return first[:1].upper() + first[1:]


def version() -> str:
    """The version of the installed package."""
    from importlib import metadata

    return f"rnn-lightning {metadata.version('rnn-lightning')}"


if __name__ == "__main__":
    main()
