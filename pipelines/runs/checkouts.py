"""Working trees of earlier commits, beside the project's own, in which a stored run is made again."""

import subprocess
from pathlib import Path

from pipelines.settings.places import PROJECT
from rnn_lightning.leftovers import unfinished_name


def check_out(commit: str, tree: Path) -> None:
    """The project at ``commit`` in ``tree``, unless an interrupted go left it there.

    Raises:
        ValueError: where git does not have the commit, or the run's code was never committed.
    """
    if commit.endswith("-dirty") or commit == "unknown":
        raise ValueError(f"the run's code cannot be had again: its commit is recorded as {commit}")
    if not tree.exists():
        partial = partial_of(tree)
        git("worktree", "prune")
        git("worktree", "add", "--force", "--detach", partial, commit)
        git("worktree", "move", partial, str(tree))


def remove(tree: Path) -> None:
    """Remove a checkout: at once under its name, so that a kill leaves no half of it there."""
    partial = partial_of(tree)
    git("worktree", "move", str(tree), partial)
    git("worktree", "remove", "--force", partial)


def partial_of(tree: Path) -> str:
    """Where the checkout is made and removed, beside ``tree``; what killed processes left there is gone."""
    return str(tree.with_name(f"{unfinished_name(tree)}.partial"))


def git(*arguments: str) -> None:
    """Run git on the project.

    Raises:
        ValueError: with the last line of what git says.
    """
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"git {arguments[0]} {arguments[1]}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
