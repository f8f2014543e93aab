"""Write the file of a task of your own, which inherits from the nearest task that is there, and say what is guessed.

``python -m pipelines.new reviews from=reviews.csv text=body label=stars`` writes ``conf/task/reviews.yaml``; with ``conf=mine``
it is ``mine/task/reviews.yaml``. ``from`` is a file, a folder, ``[a.csv,b.csv]`` or ``{train: a.csv, test: b.csv}``; two
files of parallel lines are ``{de: train.de, en: train.en}``. All other keys name columns. ``--from reviews.csv`` is
``from=reviews.csv`` too.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.settings.compose import CONF, compose, exit_on_user_error
from pipelines.settings.guesses import KEYS, Guess, guess
from pipelines.settings.overrides import FOLDER, check_once, parse
from rnn_lightning.files import write_text

FIRST = "# {place}: made by python -m pipelines.new {words}\n# All that is not here is as in conf/task/{like}.yaml.\n"
FILES_ASKED = {"audio": "wav", "image": "png", "targets": "csv"}
"""The columns in whose stead a prediction takes the names of files."""
HOLDS_OUT = {"share": 0.1, "seed": 1}


def new(arguments: Sequence[str]) -> None:
    """Write the task file, and print what is guessed and what to do next.

    Raises:
        ValueError: for a name that is taken or none, or columns that fit no kind of task.
    """
    name, given = read_arguments(arguments)
    folder = given.pop("conf", None)
    file = (CONF if folder is None else Path(folder).expanduser()) / "task" / f"{name}.yaml"
    if file.exists() or (CONF / "task" / f"{name}.yaml").exists():
        raise ValueError(f"{file} is there already: remove it, or give another name")
    if "from" not in given:
        raise ValueError("from is missing: give from=FILE, or from={train: FILE, validation: FILE, test: FILE}")
    found = guess(given.pop("from"), given)
    place = [] if folder is None else [f"{FOLDER}{folder}"]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, text_of(file, name, arguments, found))
    try:
        compose([f"task={name}", *place]).task.corpus.build()
    except BaseException:
        file.unlink()
        raise
    print("\n".join([f"{file}: {found.what}, with the network and the training of the task {found.like}", *said_of(found)]))
    print("Next:")
    for stage in ("fetch", "preprocess", "train", "evaluate"):
        print(f"  python -m pipelines.{stage} {' '.join([f'task={name}', *place])}")
    print("  " + predicting(name, found))


def read_arguments(arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The name, and the values of the keys; ``--key value`` is ``key=value`` too.

    Raises:
        ValueError: for other words, or a key that is not there.
    """
    joined = re.sub(r"\0--(\w+)[\0=]", r"\0\1=", "".join(f"\0{word}" for word in arguments)).split("\0")[1:]
    name, *words = joined or [""]
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        raise ValueError(f"the first word is the task's name, letters, digits and _, not {name or 'nothing'!r}")
    check_once(words)
    given: dict[str, Any] = {}
    for word in words:
        parsed = parse(word)
        if parsed.key_or_group not in ("from", "conf", *KEYS):
            raise ValueError(f"{parsed.key_or_group}: there is no such key; there are from, conf, {', '.join(KEYS)}")
        given[parsed.key_or_group] = parsed.value()
    return name, {key: str(value) if key in KEYS and not isinstance(value, list) else value for key, value in given.items()}


def text_of(file: Path, name: str, arguments: Sequence[str], found: Guess) -> str:
    """The content of the task file."""
    import yaml

    made = dict(found.changes)
    corpus = {"repository": None, "rows": None, "files": found.files, **made.pop("corpus"), "held_out": held_out(found)}
    values = {
        "defaults": [found.like, "_self_"],
        "title": name,
        "description": f"{found.what[0].upper()}{found.what[1:]}, from {', '.join(found.names)}.",
        "references": [],
        **made,
        "corpus": corpus,
    }
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    return FIRST.format(place=file.name, words=" ".join(arguments), like=found.like) + text


def held_out(found: Guess) -> dict[str, Any] | None:
    """What is held out of the training split, so that all splits are there; a series in time is cut by its borders.

    Raises:
        ValueError: for a validation split without a test split, which is not drawn by itself.
    """
    files = found.files
    if "targets" in found.columns or ("validation" in files and "test" in files):
        return None
    if "validation" in files:
        raise ValueError("from has no test split: give its file, or leave out validation, and both are held out of train")
    return HOLDS_OUT if "test" in files else {"share": 0.1, "test": 0.1, "seed": 1}


def said_of(found: Guess) -> list[str]:
    """What is guessed, in lines."""
    held = held_out(found) or {}
    shares = [f"{held[key]:.0%} for {split}" for key, split in (("share", "validation"), ("test", "the test")) if key in held]
    lines = [f"  columns: {', '.join(f'{key}={shown(name)}' for key, name in found.columns.items())}"] if found.columns else []
    lines += [f"  splits: {', '.join(found.files)}" + (f"; held out of train are {' and '.join(shares)}" if shares else "")]
    if "targets" in found.columns:
        window = {key: found.changes["corpus"][key] for key in ("context", "horizon", "season", "borders")}
        lines[-1:] = [f"  windows: {', '.join(f'{key} {value}' for key, value in window.items())}"]
    return lines


def predicting(name: str, found: Guess) -> str:
    """The command that asks the trained model: of names of files, or of lines."""
    command = f"python -m pipelines.predict run=runs/{name}/lstm/1"
    files = [suffix for key, suffix in FILES_ASKED.items() if key in found.columns]
    return f"ls *.{files[0]} | {command}" if files else f"{command} < lines"


def shown(value: Any) -> str:
    """A value as a command line has it."""
    return f"[{','.join(value)}]" if isinstance(value, list) else str(value)


if __name__ == "__main__":
    exit_on_user_error(
        lambda: new(sys.argv[1:]),
        keys=lambda: {"from": "a file, a folder or {split: file}", "conf": "a folder of your own, beside conf/", **KEYS},
    )
