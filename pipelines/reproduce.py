"""Make a stored run again: ``python -m pipelines.reproduce ewt/bilstm/1`` (or the folder of a run).

Its recorded commit is checked out beside the project, its corpus taken if the hash is the recorded one (or else fetched anew),
its stored configuration trained, and what the test split then says is compared with what is stored, digit by digit.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.results import read_results
from pipelines.runs.agreement import compare
from pipelines.runs.beginning import STARTER
from pipelines.runs.cards import NOTE
from pipelines.runs.checkouts import check_out, remove
from pipelines.runs.folders import Run, given_run, read_run, read_runs
from pipelines.runs.following import signal_on_death_of_parent
from pipelines.runs.provenance import versions
from pipelines.runs.stored_conf import check_config, write_conf
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.legacy import modern
from pipelines.settings.nested import changes
from pipelines.settings.places import IN_CLONE, PROJECT
from rnn_lightning.files import read_json, sha256
from rnn_lightning.items.folders import no_run

COMPOSED = """import json, sys
try:
    from pipelines.settings.compose import compose
except ImportError:  # commits before pipelines/ had rooms
    from pipelines.composition import compose
try:
    made = compose(sys.argv[1:])
except (ValueError, OSError) as error:
    sys.exit(" ".join(str(error).split()))
print(json.dumps(made.plain(made.seed)))
"""
"""What the recorded command makes of the configuration of its commit."""


def reproduce(name: str, *, commit: str | None = None, keep: bool = False) -> bool:
    """Make the run again; returns whether every metric of the test split is the stored one: bit for bit or, where the machine
    differs, within a tolerance.

    Args:
        name: ``TASK/RNN/SEED`` of a stored run, or the folder of a finished one.
        commit: the beginning of the run's commit, where several runs have that name.
        keep: the checkout stays also if all metrics agree.

    Raises:
        ValueError: where there is no such run, its code or its corpus cannot be had, or its configuration is another one.
    """
    if not IN_CLONE:
        raise ValueError("a run is made again from a clone of the repository, which has its commit")
    task, run, stored = find(name, commit)
    check_config(run)
    tree = PROJECT / "work" / "reproduced" / f"{task}-{run.folder_name}-{run.seed}-{run.commit[:12]}"
    check_out(run.commit, tree)
    overrides = composing_words(task, run, tree)
    provide_corpus(task, run, tree, overrides)
    for stage in ("train", "evaluate"):
        call(tree, ["-m", f"pipelines.{stage}", *overrides])
    made = max((tree / "runs" / task).glob(f"*/{run.seed}/metrics.json"), key=lambda file: file.stat().st_mtime)
    agreed = compare(run, read_run(made.parent, with_sums=False), stored, versions())
    if agreed and not keep:
        remove(tree)
    else:
        print(f"{tree} keeps the run that was made again")
    return agreed


def find(name: str, commit: str | None) -> tuple[str, Run, list[Run]]:
    """The task, the stored run of that name, and all runs that are stored with it.

    Raises:
        ValueError: if there is none, or more than one.
    """
    parts = Path(name).parts
    if len(parts) < 3 or not parts[-1].isdigit():
        if Path(name).exists():
            raise ValueError(no_run(name))
        raise ValueError(f"a run is named TASK/RNN/SEED, such as ewt/bilstm/1, or by its folder, not {name!r}")
    task, rnn, seed = parts[-3:]
    if len(parts) > 3:
        return task, given_run(Path(name)), read_runs(Path(name).parents[2], task)[0]
    of_task = read_results(PROJECT / "results" / f"{task}.json")
    stored = [run for run in of_task if rnn in (run.rnn, run.folder_name) and run.seed == int(seed)]
    matching = [run for run in stored if run.commit.startswith(commit or "")]
    if len(matching) == 1:
        return task, matching[0], of_task
    if matching:
        raise ValueError(f"{name} was run at several commits: give --commit, one of {sorted(run.commit for run in matching)}")
    if stored:
        raise ValueError(f"{name} has no run of commit {commit!r}, but of {sorted(run.commit for run in stored)}")
    raise ValueError(f"results/{task}.json has no run {rnn} of seed {seed}")


def call(tree: Path, arguments: Sequence[str], *, code: Path | None = None, capture: bool = False) -> str:
    """Run Python in ``tree``, on its code, if no other is named, and its store of runs, whatever the project's own are.

    It ends with this process, on Linux also where the code is of a commit whose stages follow nobody.

    Raises:
        ValueError: if it fails.
    """
    known = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    code = code or tree
    environment = known | {"PYTHONPATH": f"{code / 'src'}{os.pathsep}{code}", STARTER: str(os.getpid())}
    pipe = subprocess.PIPE if capture else None
    options: dict[str, Any] = {"cwd": tree, "env": environment, "stdout": pipe, "stderr": pipe, "text": True}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, **options, check=False, preexec_fn=signal_on_death_of_parent)
    if done.returncode and capture:
        raise ValueError((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
    if done.returncode:
        raise ValueError(f"python {shlex.join(arguments[:2])} at that commit ended with exit code {done.returncode}")
    return done.stdout or ""


def composing_words(task: str, run: Run, tree: Path) -> list[str]:
    """The words that compose the run's stored configuration in ``tree``: those of its command or, where the run had files that
    its commit does not have, those of files that are made of it.

    Raises:
        ValueError: where that is not possible either, naming the keys that differ.
    """
    recorded = shlex.split(run.command)[3:]
    different = what_differs(run, tree, recorded)
    if not different:
        return recorded
    print(f"`{run.command}` does not compose the run's configuration at its commit ({different}): the stored one is taken")
    words = write_conf(run, task, tree / "conf")
    if different := what_differs(run, tree, words):
        raise ValueError(f"the code of {run.commit} does not take the run's stored configuration: {different}")
    return words


def what_differs(run: Run, tree: Path, words: list[str]) -> str:
    """What differs between the stored configuration and that which ``words`` compose in ``tree``, or why they compose none."""
    try:
        composed = modern(json.loads(call(tree, ["-c", COMPOSED, *words], capture=True)))
    except ValueError as error:
        return str(error)
    return changes({**run.config, "tuning": None}, {**composed, "tuning": None})


def provide_corpus(task: str, run: Run, tree: Path, overrides: list[str]) -> None:
    """The run's corpus in ``tree``: the project's, if it is the same, or else fetched, by the code of that commit or of today.

    The code of before 5581876 made files of other bytes under Python 3.11.4 and later than it does under 3.11.3.

    Raises:
        ValueError: where the corpus that is fetched is another one.
    """
    processed = tree / "data" / "processed" / task
    own = PROJECT / "data" / "processed" / task
    if processed.is_symlink() and _hash(processed) != run.data:
        processed.unlink()
    if _hash(processed) is None and _hash(own) == run.data and _is_known(own, run, tree):
        processed.parent.mkdir(parents=True, exist_ok=True)
        processed.symlink_to(own)
    if _hash(processed) != run.data:
        for stage in ("fetch", "preprocess"):
            call(tree, ["-m", f"pipelines.{stage}", *overrides], code=tree)
    if _hash(processed) != run.data:
        call(tree, ["-m", "pipelines.runs.stored_conf", task, json.dumps(_corpus(run)["corpus"])], code=PROJECT)
    if _hash(processed) != run.data:
        raise ValueError(f"the corpus is another one: the run read {run.data}, what is fetched now is {_hash(processed)}")


def _is_known(own: Path, run: Run, tree: Path) -> bool:
    """Whether the code in ``tree`` takes the project's corpus for the run's, by the note that it may ask for."""
    asks, note = any((tree / "pipelines" / file).exists() for file in ("cards.py", "runs/cards.py")), own / NOTE
    return not asks or (note.exists() and modern({"task": {"corpus": read_json(note)}})["task"] == _corpus(run))


def _corpus(run: Run) -> dict[str, Any]:
    return {"corpus": run.config["task"]["corpus"]}


def _hash(processed: Path) -> str | None:
    """The hash "all" of the card, ``None`` where there is no corpus, or a file is not the one that the card lists."""
    if not (processed / "card.json").exists():
        return None
    hashes = read_json(processed / "card.json")["sha256"]
    files = {processed / name: digest for name, digest in hashes["files"].items()}
    sound = all(file.is_file() and sha256(file) == digest for file, digest in files.items())
    return (
        hashes["all"]
        if sound and sha256(*(file for file in files if file.suffix in (".npz", ".txt"))) == hashes["all"]
        else None
    )


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m pipelines.reproduce", description=__doc__)
    arguments.add_argument("run", help="TASK/RNN/SEED of a stored run, or the folder of a finished one")
    arguments.add_argument("--commit", help="the beginning of the run's commit, where several runs have that name")
    arguments.add_argument("--keep", action="store_true", help="leave the checkout in work/reproduced")
    options = arguments.parse_args()
    agreed = []
    exit_on_user_error(lambda: agreed.append(reproduce(options.run, commit=options.commit, keep=options.keep)))
    return 0 if agreed == [True] else 1


if __name__ == "__main__":
    sys.exit(main())
